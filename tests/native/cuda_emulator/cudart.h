#ifndef ATA_CUDA_EMULATOR_CUDART_H_
#define ATA_CUDA_EMULATOR_CUDART_H_

#include <cuda_runtime_api.h>

#include <mutex>
#include <string>

#include "options.h"
#include "streams.h"

/// What the files that stand in for the CUDA runtime share.
namespace emu {

/// Remembers an error, with what is wrong for cudaGetErrorString, as the thread's last one.
cudaError_t failed(cudaError_t error, const std::string& detail = {});

/// The error of a defect that was found, which every call returns from then on.
cudaError_t found_defect();

/// Throws away what is remembered of errors of the calling thread.
void forget_errors();

/// The GPU that the calling thread chose.
int thread_device();

/// Looks at a stream that a call got: replaces null by the default stream; an error if there is no
/// such stream, or if its capture was broken.
cudaError_t check_stream(cudaStream_t& stream);

}  // namespace emu

// Begins a stand-in: takes the lock, and returns the error that a test asked for or that an earlier
// defect left. `usual` is what the call fails with when the test names no error.
#define EMU_CALL(usual)                                                                \
  const std::lock_guard emu_lock(emu::emulator_mutex());                               \
  if (const int emu_injected = emu::injected_failure(__func__, usual)) {               \
    return emu::failed(static_cast<cudaError_t>(emu_injected), "asked for by a test"); \
  }                                                                                    \
  if (const cudaError_t emu_defect = emu::found_defect(); emu_defect != cudaSuccess) { \
    return emu_defect;                                                                 \
  }

// A call that no capture allows, because it waits for the GPU.
#define EMU_WAITS()                                                                     \
  if (emu::breaks_capture()) {                                                          \
    return emu::failed(cudaErrorStreamCaptureUnsupported,                               \
                       std::string(__func__) + " may wait for what is being captured"); \
  }

#define EMU_STREAM(stream)                                                               \
  if (const cudaError_t emu_error = emu::check_stream(stream); emu_error != cudaSuccess) \
  return emu_error

#endif  // ATA_CUDA_EMULATOR_CUDART_H_
