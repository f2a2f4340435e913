#ifndef ATA_CUDA_LAUNCH_H_
#define ATA_CUDA_LAUNCH_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "backend/device.h"

/// The host's side of a launch.
namespace ata::cuda {

/// What a launch is fitted to.
struct Properties {
  /// Compute capability, such as 90 for 9.0.
  int architecture;
  int multiprocessors;
  /// Of one block, at most.
  size_t shared_bytes;
};
const Properties& properties(const Stream& stream);

/// The CUDA stream that the work of `stream` is queued on.
cudaStream_t queue(const Stream& stream);

/// Throws, naming `what` was tried, unless `error` is success: ATA_OUT_OF_MEMORY for memory, else
/// ATA_DEVICE_UNAVAILABLE.
void check(cudaError_t error, const char* what);
/// The same for the kernel that was launched last.
void check_launch(const char* kernel);

/// Lets a kernel have so much dynamic shared memory. Throws when no block can.
void allow_shared_memory(const void* kernel, const char* name, size_t bytes);

/// The elements of a tensor in the device's memory, for kernels; null for an empty one.
/// ATA_INTERNAL if T is not its element type.
template <class T>
const T* elements(const Tensor& tensor) {
  if (!tensor) return nullptr;
  if (tensor.dtype() != dtype_of<T>()) {
    fail(ATA_INTERNAL, "a kernel takes a tensor of ", dtype_name(tensor.dtype()), " for ",
         dtype_name(dtype_of<T>()));
  }
  return static_cast<const T*>(tensor.address());
}
template <class T>
T* elements(Tensor& tensor) {
  return const_cast<T*>(elements<T>(static_cast<const Tensor&>(tensor)));
}

/// Blocks of `threads` that cover `count` threads.
inline unsigned blocks_for(int64_t count, int64_t threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

}  // namespace ata::cuda

#endif  // ATA_CUDA_LAUNCH_H_
