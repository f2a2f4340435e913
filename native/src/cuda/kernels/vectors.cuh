#ifndef ATA_CUDA_KERNELS_VECTORS_CUH_
#define ATA_CUDA_KERNELS_VECTORS_CUH_

#include "cuda/dialect.h"

/// Rows in 16-byte pieces where they lie at multiples of 16 bytes.
namespace ata::cuda {

/// Whether 16 bytes can be read at once from there; a tensor may be a part of another.
inline bool is_aligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % 16 == 0;
}

/// Four neighbours, at a multiple of their size.
__device__ __forceinline__ void store_four(float* to, float4 values) {
  store_vector(to, values);
}
__device__ __forceinline__ void store_four(BFloat16* to, float4 values) {
  store_vector(to, uint2{pack_bf16(values.x, values.y), pack_bf16(values.z, values.w)});
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_VECTORS_CUH_
