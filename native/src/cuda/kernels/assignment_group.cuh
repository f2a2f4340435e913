#ifndef ATA_CUDA_KERNELS_ASSIGNMENT_GROUP_CUH_
#define ATA_CUDA_KERNELS_ASSIGNMENT_GROUP_CUH_

#include <cstdint>

#include "cuda/dialect.h"
#include "cuda/kernels/assignment_problems.h"

/// What the integer and the float64 solver have in common.
///
/// A problem is solved by one block, of one warp (and then without barriers of the block) or of
/// several. Thread t owns the columns t + kThreads * k, k < kColumns: their duals and distances are
/// in its registers.
namespace ata::cuda {

template <int kWarps>
__device__ __forceinline__ void sync_group() {
  if constexpr (kWarps == 1) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

/// Integer costs: (values scaled to the normal numbers - reference) * factor, from 0 to kCostLimit.
struct Quantiser {
  static constexpr int kCostLimit = (1 << 23) - 1024;

  __device__ Quantiser(const ValueRange& range, bool maximize) {
    const double spread = static_cast<double>(range.high) - range.low;
    scale = spread > 0x1p60 ? 0x1p-60F : spread < 0x1p-60 ? 0x1p60F : 1.0F;
    reference = (maximize ? range.high : range.low) * scale;
    factor = spread > 0 ? static_cast<float>((maximize ? -kCostLimit : kCostLimit) /
                                             (spread * static_cast<double>(scale)))
                        : 0;
    unit = spread > 0 ? 1 / (fabs(static_cast<double>(factor)) * scale) : 1;
  }

  /// The sum fills up the mantissa of a float32, whose bits are then the integer, to which this is
  /// added.
  static constexpr unsigned kBias = 0x4B000000U;
  /// cost << shift. At most one unit from the exact one, less what is the same for all: half for
  /// rounding to an integer, half for the difference, of which float32 keeps 24 bits.
  template <int kShift>
  __device__ __forceinline__ int cost(float value) const {
    const float sum = fmaf(fmaf(value, scale, -reference), factor, 0x1p23F);
    return static_cast<int>((static_cast<unsigned>(__float_as_int(sum)) << kShift) -
                            (kBias << kShift));
  }

  float scale;
  float reference;
  float factor;
  /// What a cost of 1 is in units of the values.
  double unit;
};

/// Calls `use` with the number of warps and of columns a thread that suit so many columns.
template <int kWarps, int kColumns>
struct GroupShape {
  static constexpr int warps = kWarps;
  static constexpr int columns = kColumns;
};
template <class Use>
void with_group_shape(int columns, const Use& use) {
  if (columns <= 32) return use(GroupShape<1, 1>());
  if (columns <= 64) return use(GroupShape<1, 2>());
  if (columns <= 128) return use(GroupShape<1, 4>());
  if (columns <= 224) return use(GroupShape<1, 7>());
  if (columns <= 256) return use(GroupShape<1, 8>());
  if (columns <= 512) return use(GroupShape<8, 2>());
  if (columns <= 1024) return use(GroupShape<8, 4>());
  if (columns <= 2048) return use(GroupShape<8, 8>());
  use(GroupShape<8, 16>());
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ASSIGNMENT_GROUP_CUH_
