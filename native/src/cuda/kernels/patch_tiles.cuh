#ifndef ATA_CUDA_KERNELS_PATCH_TILES_CUH_
#define ATA_CUDA_KERNELS_PATCH_TILES_CUH_

#include <cstdint>

#include "cuda/dialect.h"
#include "cuda/kernels/similarity.h"

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

/// Similarities are computed in tiles of so many patches by as many.
constexpr int kPatchTile = 64;

/// Which tile a block computes; blocks lie in the order (pair, tile).
struct TilePlace {
  int64_t pair;
  int64_t first_row;
  int64_t first_column;

  /// `tiles`: of a row.
  __device__ explicit TilePlace(int tiles) {
    pair = blockIdx.x / (static_cast<int64_t>(tiles) * tiles);
    const int tile = static_cast<int>(blockIdx.x - pair * tiles * tiles);
    first_row = int64_t{tile / tiles} * kPatchTile;
    first_column = int64_t{tile % tiles} * kPatchTile;
  }
};

/// What one of kThreads threads brings of the patches of a tile and 4 * kVectors of their channels:
/// vectors of patches kThreads / kVectors apart.
template <bool kVector, int kThreads, int kVectors>
class PatchLoader {
 public:
  static constexpr int kLoads = kPatchTile * kVectors / kThreads;

  __device__ PatchLoader(const Frames& frame, int64_t first, int64_t patches, int64_t channels)
      : frame_(frame), first_(first), patches_(patches), channels_(channels) {}

  __device__ __forceinline__ void load(int64_t depth) {
#pragma unroll
    for (int l = 0; l < kLoads; ++l) {
      const int64_t i = first_ + row(l);
      next_[l] = i < patches_ ? load_channels<kVector>(frame_.features + i * channels_,
                                                       depth + 4 * vector(), channels_)
                              : float4{0, 0, 0, 0};
    }
  }
  /// What load() brought, scaled; 0 past the last patch.
  __device__ __forceinline__ float4 scaled(int load) const {
    const int64_t i = first_ + row(load);
    return i < patches_ ? Scaler(frame_.scales + i)(next_[load]) : float4{0, 0, 0, 0};
  }
  /// Where it belongs in the tile.
  __device__ static int row(int load) {
    return static_cast<int>(threadIdx.x) / kVectors + kThreads / kVectors * load;
  }
  __device__ static int vector() {
    return static_cast<int>(threadIdx.x) % kVectors;
  }

 private:
  const Frames frame_;
  const int64_t first_;
  const int64_t patches_;
  const int64_t channels_;
  float4 next_[kLoads];
};

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_PATCH_TILES_CUH_
