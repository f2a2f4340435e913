#ifndef ATA_CUDA_DIALECT_H_
#define ATA_CUDA_DIALECT_H_

/// What kernels are written in: with nvcc this is CUDA; with another compiler it is the emulator of
/// tests/native/cuda_emulator, which runs the same text on the CPU and can check every access.
///
/// Kernels use what is declared here and there, and nothing that the emulator cannot judge: no
/// `<<<>>>` (ATA_LAUNCH), no static `__shared__` (shared_memory()), no pointer casts to vectors
/// (load_vector()), no shuffles or votes without a mask, no `__activemask`, cooperative groups,
/// waits across the grid, textures, or inline PTX outside this header.

#include <cstddef>
#include <cstdint>

#include "cuda/launch.h"
#include "tensor/tensor.h"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

namespace ata::cuda {

template <class... Parameters, class... Arguments>
void launch_kernel(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  allow_shared_memory(reinterpret_cast<const void*>(kernel), name, shared_bytes);
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  check_launch(name);
}

/// A kernel's dynamic shared memory as one struct, uninitialised.
template <class T>
__device__ __forceinline__ T& shared_memory() {
  extern __shared__ uint4 ata_shared_memory[];
  return *reinterpret_cast<T*>(ata_shared_memory);
}

/// 4, 8 or 16 bytes at once; the address is a multiple of the size.
template <class Vector, class T>
__device__ __forceinline__ Vector load_vector(const T* from) {
  return *reinterpret_cast<const Vector*>(from);
}
template <class Vector, class T>
__device__ __forceinline__ void store_vector(T* to, Vector value) {
  *reinterpret_cast<Vector*>(to) = value;
}

/// D = A B + C for one warp: bf16 tiles A 16 x 16 and B 16 x 8, f32 tiles C and D 16 x 8, spread
/// over the lanes as the PTX manual draws them for mma.m16n8k16. From compute capability 8.0.
__device__ __forceinline__ void mma_16x8x16(float (&d)[4], const unsigned (&a)[4],
                                            const unsigned (&b)[2], const float (&c)[4]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%10,%11,%12,%13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]),
        "f"(c[2]), "f"(c[3]));
#else
  __trap();
#endif
}

/// Copies 16 bytes from global to shared memory in the background. From compute capability 8.0;
/// before, at once.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
#if __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
#else
  *static_cast<uint4*>(shared) = *static_cast<const uint4*>(global);
#endif
}
__device__ __forceinline__ void commit_async() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/// Waits until at most `kPending` of the thread's groups are on their way.
template <int kPending>
__device__ __forceinline__ void wait_async() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

/// Four 8 x 8 tiles of 16-bit elements from shared memory: lane 8 i + r names row r of tile i, 16
/// bytes at a multiple of 16; d[i] is then tile i's elements (lane / 4, 2 (lane % 4)) and the next
/// one, or, transposed, (2 (lane % 4), lane / 4) and the one below: what mma_16x8x16 takes.
__device__ __forceinline__ void load_tiles(unsigned (&d)[4], const void* row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void load_tiles_transposed(unsigned (&d)[4], const void* row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(address)
               : "memory");
}

/// The least value among the lanes of `mask`.
__device__ __forceinline__ int reduce_min(unsigned mask, int value) {
#if __CUDA_ARCH__ >= 800
  return __reduce_min_sync(mask, value);
#else
  for (int step = 16; step > 0; step /= 2) {
    const int other = __shfl_xor_sync(mask, value, step);
    value = other < value ? other : value;
  }
  return value;
#endif
}

}  // namespace ata::cuda

/// ATA_LAUNCH(kernel, grid, block, shared bytes, stream, arguments...): queues a kernel; an empty
/// grid is no work. Throws when it cannot be launched. A kernel with several template arguments
/// stands in parentheses.
#define ATA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  ::ata::cuda::launch_kernel(#kernel, kernel, grid, block, shared_bytes, stream, __VA_ARGS__)

#else

#include "emulator.h"

#endif

namespace ata::cuda {

constexpr unsigned kAllLanes = 0xffffffffU;

__device__ __forceinline__ float widen(BFloat16 value) {
  return __int_as_float(static_cast<int>(static_cast<unsigned>(value.bits) << 16));
}
__device__ __forceinline__ float widen(float value) {
  return value;
}

template <class T>
__device__ __forceinline__ T narrow(float value);
template <>
__device__ __forceinline__ float narrow<float>(float value) {
  return value;
}
/// Nearest even; NaN stays NaN.
template <>
__device__ __forceinline__ BFloat16 narrow<BFloat16>(float value) {
  const auto bits = static_cast<unsigned>(__float_as_int(value));
  if (value != value) return {static_cast<unsigned short>((bits >> 16) | 0x40U)};
  return {static_cast<unsigned short>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

/// Two values as bf16, the first in the lower half.
__device__ __forceinline__ unsigned pack_bf16(float low, float high) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 800
  unsigned packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return unsigned{narrow<BFloat16>(low).bits} | unsigned{narrow<BFloat16>(high).bits} << 16;
#endif
}
/// And back.
__device__ __forceinline__ float low_bf16(unsigned packed) {
  return __int_as_float(static_cast<int>(packed << 16));
}
__device__ __forceinline__ float high_bf16(unsigned packed) {
  return __int_as_float(static_cast<int>(packed & 0xffff0000U));
}

/// Over the lanes of a warp, or of each kLanes neighbours in it (a power of two); the same in all.
template <int kLanes = 32, class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  return value;
}
template <int kLanes = 32>
__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_DIALECT_H_
