// Stands in for the CUDA runtime: devices, errors and launches.
#include <cstring>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "control.h"
#include "cudart.h"
#include "defects.h"
#include "memory.h"
#include "options.h"
#include "scheduler.h"

namespace emu {
namespace {

constexpr size_t kSharedBytes = size_t{48} << 10;  // that a kernel may have without asking
constexpr int kLeastDriver = 13000;
constexpr int kRuntime = 13000;

thread_local cudaError_t last_error = cudaSuccess;
thread_local cudaError_t detailed_error = cudaSuccess;
thread_local std::string error_detail;
thread_local int current_device = 0;

// Bytes of dynamic shared memory that kernels were allowed to have.
std::unordered_map<const void*, size_t>& allowed_shared_bytes() {
  static auto& map = *new std::unordered_map<const void*, size_t>;
  return map;
}

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};
#define EMU_ERROR(name, text) \
  { name, #name, text }
constexpr ErrorText kErrors[] = {
    EMU_ERROR(cudaSuccess, "no error"),
    EMU_ERROR(cudaErrorInvalidValue, "invalid argument"),
    EMU_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    EMU_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    EMU_ERROR(cudaErrorInsufficientDriver,
              "CUDA driver version is insufficient for CUDA runtime version"),
    EMU_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    EMU_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    EMU_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    EMU_ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    EMU_ERROR(cudaErrorNotReady, "device not ready"),
    EMU_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    EMU_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    EMU_ERROR(cudaErrorNotSupported, "operation not supported"),
    EMU_ERROR(cudaErrorStreamCaptureUnsupported,
              "operation not permitted when stream is capturing"),
    EMU_ERROR(cudaErrorStreamCaptureInvalidated,
              "operation failed due to a previous error during capture"),
    EMU_ERROR(cudaErrorStreamCaptureMerge,
              "operation would result in a merge of separate capture sequences"),
    EMU_ERROR(cudaErrorStreamCaptureUnmatched,
              "capture was not ended in the same stream as it began"),
    EMU_ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    EMU_ERROR(cudaErrorStreamCaptureIsolation,
              "dependency created on uncaptured work in another stream"),
    EMU_ERROR(cudaErrorStreamCaptureImplicit,
              "operation would make the legacy stream depend on a capturing blocking stream"),
    EMU_ERROR(cudaErrorStreamCaptureWrongThread,
              "attempt to terminate a thread-local capture sequence from another thread"),
    EMU_ERROR(cudaErrorCapturedEvent,
              "operation not permitted on an event last recorded in a capturing stream"),
    EMU_ERROR(cudaErrorUnknown, "unknown error"),
};
#undef EMU_ERROR

const ErrorText* find_error(cudaError_t error) {
  for (const ErrorText& row : kErrors) {
    if (row.error == error) return &row;
  }
  return nullptr;
}

// Why there is no GPU to work with.
cudaError_t availability() {
  if (options().driver < kLeastDriver) return cudaErrorInsufficientDriver;
  return options().devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t check_device(int device) {
  if (const cudaError_t error = availability(); error != cudaSuccess) return failed(error);
  return device >= 0 && device < options().devices ? cudaSuccess : failed(cudaErrorInvalidDevice);
}

std::string text_of(dim3 size) {
  return ata::concat("(", size.x, ", ", size.y, ", ", size.z, ")");
}

// What a GPU refuses to launch; empty for nothing.
std::string refusal(const Launch& launch, cudaError_t& error) {
  const dim3 grid = launch.grid, size = launch.block;
  error = cudaErrorInvalidConfiguration;
  if (uint64_t{size.x} * size.y * size.z > kMaxThreads || size.x > 1024 || size.y > 1024 ||
      size.z > 64 || size.x == 0 || size.y == 0 || size.z == 0) {
    return "a block of " + text_of(size) + " threads";
  }
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > INT32_MAX || grid.y > 65535 ||
      grid.z > 65535) {
    return "a grid of " + text_of(grid) + " blocks";
  }
  if (uint64_t{grid.x} * grid.y * grid.z > UINT32_MAX) {
    error = cudaErrorNotSupported;
    return "the emulated GPU runs at most 2^32 - 1 blocks, not " + text_of(grid);
  }
  error = cudaErrorInvalidValue;
  const auto found = allowed_shared_bytes().find(launch.kernel);
  const size_t allowed =
      std::max(kSharedBytes, found == allowed_shared_bytes().end() ? 0 : found->second);
  if (launch.shared_bytes > allowed) {
    return std::to_string(launch.shared_bytes) + " bytes of shared memory, where " +
           std::to_string(allowed) + " are allowed";
  }
  return {};
}

int max_shared_bytes() {
  switch (options().architecture) {
    case 75:
      return 64 << 10;
    case 80:
    case 87:
      return 163 << 10;
    case 86:
    case 89:
    case 120:
      return 99 << 10;
    default:
      return static_cast<int>(kMaxSharedBytes);
  }
}

}  // namespace

cudaError_t failed(cudaError_t error, const std::string& detail) {
  if (error == cudaSuccess) return error;
  last_error = detailed_error = error;
  error_detail = detail;
  return error;
}

cudaError_t found_defect() {
  return has_defect() ? failed(cudaErrorLaunchFailure) : cudaSuccess;
}

void forget_errors() {
  last_error = detailed_error = cudaSuccess;
}

int thread_device() {
  return current_device;
}

cudaError_t check_stream(cudaStream_t& stream) {
  cudaStream_t const found = find_stream(stream);
  if (found == nullptr) return failed(cudaErrorInvalidResourceHandle, "no such stream");
  if (stream == nullptr || stream == cudaStreamLegacy) {
    for (const auto& weak : captures()) {
      const auto capture = weak.lock();
      if (capture && !capture->ended && capture->origin->blocking) {
        capture->invalid = true;
        return failed(cudaErrorStreamCaptureImplicit);
      }
    }
  }
  stream = found;
  if (stream->capture && stream->capture->invalid) return failed(cudaErrorStreamCaptureInvalidated);
  return cudaSuccess;
}

void enqueue(cudaStream_t stream, Launch launch) {
  const std::lock_guard lock(emulator_mutex());
  int injected = injected_failure("cudaLaunchKernel", cudaErrorLaunchFailure);
  if (injected == 0) injected = injected_failure(launch.name, cudaErrorLaunchFailure);
  if (injected != 0) {
    failed(static_cast<cudaError_t>(injected), "asked for by a test");
    return;
  }
  if (found_defect() != cudaSuccess || check_stream(stream) != cudaSuccess) return;
  cudaError_t error = cudaSuccess;
  if (const std::string refused = refusal(launch, error); !refused.empty()) {
    failed(error, std::string(launch.name) + ": " + refused);
    return;
  }
  submit(stream, [launch = std::move(launch)] {
    if (!has_defect() && !options().idle) run_launch(launch);
  });
}

}  // namespace emu

extern "C" {

cudaError_t cudaGetLastError() {
  const std::lock_guard lock(emu::emulator_mutex());
  if (emu::found_defect() != cudaSuccess) return cudaErrorLaunchFailure;
  return std::exchange(emu::last_error, cudaSuccess);
}

cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(emu::emulator_mutex());
  emu::found_defect();
  return emu::last_error;
}

const char* cudaGetErrorString(cudaError_t error) {
  const std::lock_guard lock(emu::emulator_mutex());
  if (error == cudaErrorLaunchFailure && emu::has_defect()) return emu::defect_text();
  const auto* const known = emu::find_error(error);
  std::string text = known != nullptr ? known->text : "unrecognized error code";
  if (error == emu::detailed_error && !emu::error_detail.empty()) text += ": " + emu::error_detail;
  static auto& texts = *new std::set<std::string>;  // nobody releases what this returns
  return texts.insert(text).first->c_str();
}

const char* cudaGetErrorName(cudaError_t error) {
  const auto* const known = emu::find_error(error);
  return known != nullptr ? known->name : "unrecognized error code";
}

cudaError_t cudaGetDeviceCount(int* count) {
  EMU_CALL(cudaErrorUnknown);
  *count = 0;
  if (const cudaError_t error = emu::availability(); error != cudaSuccess)
    return emu::failed(error);
  *count = emu::options().devices;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  EMU_CALL(cudaErrorUnknown);
  if (const cudaError_t error = emu::check_device(device); error != cudaSuccess) return error;
  emu::current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  EMU_CALL(cudaErrorUnknown);
  *device = emu::current_device;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  EMU_CALL(cudaErrorUnknown);
  *version = emu::options().driver;  // 0 where there is none
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  EMU_CALL(cudaErrorUnknown);
  *version = emu::kRuntime;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  EMU_CALL(cudaErrorUnknown);
  if (const cudaError_t error = emu::check_device(device); error != cudaSuccess) return error;
  const emu::Options& options = emu::options();
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = options.architecture / 10;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = options.architecture % 10;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = emu::kSharedBytes;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = emu::max_shared_bytes();
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = emu::max_shared_bytes() + 1024;
      break;
    case cudaDevAttrMaxThreadsPerBlock:
      *value = emu::kMaxThreads;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      *value = 65536;
      break;
    case cudaDevAttrWarpSize:
      *value = emu::kWarp;
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = 1;
      break;
    case cudaDevAttrUnifiedAddressing:
      *value = 1;
      break;
    case cudaDevAttrL2CacheSize:
      *value = 4 << 20;
      break;
    default:
      return emu::failed(cudaErrorInvalidValue,
                         "the emulated GPU does not tell attribute " + std::to_string(attribute));
  }
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  EMU_CALL(cudaErrorUnknown);
  if (const cudaError_t error = emu::check_device(device); error != cudaSuccess) return error;
  *properties = {};
  const emu::Options& options = emu::options();
  std::strcpy(properties->name, emu::checked() ? "emulated GPU (no hardware), every access checked"
                                               : "emulated GPU (no hardware)");
  properties->totalGlobalMem = options.memory;
  properties->sharedMemPerBlock = emu::kSharedBytes;
  properties->sharedMemPerBlockOptin = static_cast<size_t>(emu::max_shared_bytes());
  properties->warpSize = emu::kWarp;
  properties->maxThreadsPerBlock = emu::kMaxThreads;
  properties->major = options.architecture / 10;
  properties->minor = options.architecture % 10;
  properties->multiProcessorCount = 4;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  EMU_CALL(cudaErrorInvalidValue);
  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
      if (value < 0 || value > emu::max_shared_bytes()) {
        return emu::failed(cudaErrorInvalidValue, std::to_string(value) +
                                                      " bytes of shared memory; the GPU has " +
                                                      std::to_string(emu::max_shared_bytes()));
      }
      emu::allowed_shared_bytes()[kernel] = static_cast<size_t>(value);
      return cudaSuccess;
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      return cudaSuccess;
    default:
      return emu::failed(cudaErrorInvalidValue, "an attribute of kernels that is not emulated");
  }
}

cudaError_t cudaDeviceSynchronize() {
  EMU_CALL(cudaErrorUnknown);
  EMU_WAITS();
  emu::run_all();
  return emu::found_defect();
}

}  // extern "C"
