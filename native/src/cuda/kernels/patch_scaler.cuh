#ifndef ATA_CUDA_KERNELS_PATCH_SCALER_CUH_
#define ATA_CUDA_KERNELS_PATCH_SCALER_CUH_

#include <cstdint>

#include "cuda/dialect.h"

/// How kernels read the features of patches.
namespace ata::cuda {

/// Four neighbouring channels from `k`, 0 past the end. `kVector`: rows are whole vectors.
template <bool kVector>
__device__ __forceinline__ float4 load_channels(const float* row, int64_t k, int64_t channels) {
  if (kVector) {
    return k < channels ? load_vector<float4>(row + k) : float4{0, 0, 0, 0};
  }
  return {k < channels ? row[k] : 0, k + 1 < channels ? row[k + 1] : 0,
          k + 2 < channels ? row[k + 2] : 0, k + 3 < channels ? row[k + 3] : 0};
}

/// Scales a patch's features. In float32 where the factor and its products are in the range of
/// that.
class Scaler {
 public:
  __device__ explicit Scaler(const double* scale)
      : scale_(scale), factor_(is_usual(*scale) ? static_cast<float>(*scale) : 0) {}
  __device__ float operator()(float x) const {
    if (factor_ != 0) return x * factor_;
    const double scale = *scale_;
    return scale != 0 ? static_cast<float>(x * scale) : 0;
  }
  __device__ float4 operator()(float4 x) const {
    if (factor_ != 0) return {x.x * factor_, x.y * factor_, x.z * factor_, x.w * factor_};
    return {(*this)(x.x), (*this)(x.y), (*this)(x.z), (*this)(x.w)};
  }

 private:
  __device__ static bool is_usual(double scale) { return scale > 1e-15 && scale < 1e15; }

  const double* scale_;
  float factor_;
};

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_PATCH_SCALER_CUH_
