#include "cuda/device.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "backend/kernels.h"
#include "base/error.h"
#include "base/log.h"
#include "cuda/current_device.h"
#include "cuda/launch.h"
#include "cuda/libraries.h"
#include "cuda/stream_state.h"
#include "cuda/table.h"

namespace ata::cuda {
namespace {

constexpr int kLeastArchitecture = 75;
// From here on bf16 attention has products on tensor cores (attention_mma.cuh).
constexpr int kTensorCoreArchitecture = 80;

class CudaDevice;

// Tensors' memory of one GPU, from a pool of its own. A block that is released may still be in use
// by work that is queued: the pool's stream, on which blocks come and go, waits for that first.
class PoolMemory : public Allocator {
 public:
  explicit PoolMemory(CudaDevice& device);

  void* allocate(size_t bytes) override;
  void release(void* block, size_t bytes) noexcept override;
  Device* device() const override;
  bool is_readable() const override { return false; }

  MemoryStatistics statistics() const {
    std::lock_guard lock(mutex_);
    return {live_, peak_};
  }

  // Blocks that were released go back to the driver, when the work that may use them is done.
  void trim();

 private:
  cudaError_t try_allocate(void** block, size_t bytes);

  CudaDevice& device_;
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
  mutable std::mutex mutex_;
  int64_t live_ = 0;
  int64_t peak_ = 0;
};

// A CUDA graph.
class GraphRecording : public Recording {
 public:
  GraphRecording(cudaGraphExec_t executable, cudaStream_t stream, int ordinal)
      : executable_(executable), stream_(stream), ordinal_(ordinal) {}
  ~GraphRecording() override { cudaGraphExecDestroy(executable_); }
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;

  void replay() override {
    const CurrentDevice current(ordinal_);
    check(cudaGraphLaunch(executable_, stream_), "repeating recorded work");
  }

 private:
  const cudaGraphExec_t executable_;
  const cudaStream_t stream_;
  const int ordinal_;
};

class CudaDevice : public Device {
 public:
  CudaDevice(int ordinal, DeviceInfo info, Properties properties)
      : ordinal_(ordinal), info_(std::move(info)), properties_(properties), memory_(*this) {}

  int ordinal() const { return ordinal_; }
  const Properties& properties() const { return properties_; }
  StreamList& streams() { return streams_; }

  const DeviceInfo& info() const override { return info_; }
  const Kernels& kernels() const override { return table(); }

  std::shared_ptr<Allocator> memory() override {
    return std::shared_ptr<Allocator>(std::shared_ptr<void>(), &memory_);
  }
  MemoryStatistics memory_statistics() const override { return memory_.statistics(); }
  DeviceCapacity capacity() const override {
    const CurrentDevice current(ordinal_);
    size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) return {};
    return {static_cast<int64_t>(total), static_cast<int64_t>(free)};
  }

  std::shared_ptr<Stream> make_stream(std::shared_ptr<Allocator> allocator) override {
    return stream_over(std::move(allocator), nullptr);
  }
  std::shared_ptr<Stream> wrap_stream(std::shared_ptr<Allocator> allocator, void* native) override {
    const CurrentDevice current(ordinal_);
    const auto given = static_cast<cudaStream_t>(native);
    int owner = -1;
    const cudaError_t error = cudaStreamGetDevice(given, &owner);
    if (error != cudaSuccess) {
      cudaGetLastError();
      fail(ATA_INVALID_ARGUMENT, "the stream is no CUDA stream: ", cudaGetErrorString(error));
    }
    require(owner == ordinal_, "the stream belongs to device 'cuda:", owner, "', not to '",
            info_.name, "'");
    return stream_over(std::move(allocator), given);
  }

  std::unique_ptr<Recording> record(Stream& stream, const std::function<void()>& work) override {
    const CurrentDevice current(ordinal_);
    const cudaGraphExec_t executable = state_of(stream).record(work);
    if (!executable) return nullptr;
    return std::make_unique<GraphRecording>(executable, queue(stream), ordinal_);
  }

  void check_reachable(const void* data, const char* what) const override {
    const CurrentDevice current(ordinal_);
    cudaPointerAttributes attributes = {};
    const cudaError_t error = cudaPointerGetAttributes(&attributes, data);
    if (error != cudaSuccess) cudaGetLastError();
    const bool reachable =
        error == cudaSuccess &&
        (attributes.type == cudaMemoryTypeManaged ||
         (attributes.type == cudaMemoryTypeDevice && attributes.device == ordinal_));
    require(reachable, what, " is not in the memory of device '", info_.name, "'");
  }

  void copy_in(void* to, const void* host, size_t bytes, Stream& stream) override {
    const CurrentDevice current(ordinal_);
    state_of(stream).upload(to, host, bytes);
  }
  void copy_out(std::span<const CopyOut> copies, Stream& stream) override {
    const CurrentDevice current(ordinal_);
    state_of(stream).download(copies);
  }
  void copy(void* to, const void* from, size_t bytes, Stream& stream) override {
    if (bytes == 0) return;
    const CurrentDevice current(ordinal_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue(stream)),
          "a copy on the GPU");
  }
  void fill(void* to, int byte, size_t bytes, Stream& stream) override {
    if (bytes == 0) return;
    const CurrentDevice current(ordinal_);
    check(cudaMemsetAsync(to, byte, bytes, queue(stream)), "filling memory of the GPU");
  }
  void synchronize(Stream& stream) override {
    const CurrentDevice current(ordinal_);
    state_of(stream).synchronize();
  }
  void release_caches() override { memory_.trim(); }

 private:
  std::shared_ptr<Stream> stream_over(std::shared_ptr<Allocator> allocator, cudaStream_t given) {
    const CurrentDevice current(ordinal_);
    auto state = std::make_shared<StreamState>(streams_, ordinal_, properties_, given);
    auto* const stream =
        new Stream{*this, std::move(allocator), Tensor({1}, DType::kI32, memory()), state.get()};
    std::shared_ptr<Stream> result(stream, [state](Stream* last) { delete last; });
    fill(stream->status.address(), 0, stream->status.bytes(), *stream);
    return result;
  }

  const int ordinal_;
  const DeviceInfo info_;
  const Properties properties_;
  StreamList streams_;
  PoolMemory memory_;
};

PoolMemory::PoolMemory(CudaDevice& device) : device_(device) {
  const CurrentDevice current(device.ordinal());
  cudaMemPoolProps props = {};
  props.allocType = cudaMemAllocationTypePinned;
  props.location.type = cudaMemLocationTypeDevice;
  props.location.id = device.ordinal();
  check(cudaMemPoolCreate(&pool_, &props), "making a pool of memory");
  // What tensors no longer use stays here for the next, until memory runs short.
  uint64_t keep = UINT64_MAX;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep),
        "setting up a pool of memory");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event");
}

cudaError_t PoolMemory::try_allocate(void** block, size_t bytes) {
  const cudaError_t error = cudaMallocFromPoolAsync(block, bytes, pool_, stream_);
  if (error != cudaSuccess) return error;
  const cudaError_t waited = cudaStreamSynchronize(stream_);
  if (waited != cudaSuccess) cudaFreeAsync(*block, stream_);
  return waited;
}

void* PoolMemory::allocate(size_t bytes) {
  const CurrentDevice current(device_.ordinal());
  std::lock_guard lock(mutex_);
  void* block = nullptr;
  const size_t size = std::max<size_t>(bytes, 1);
  cudaError_t error = try_allocate(&block, size);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    cudaMemPoolTrimTo(pool_, 0);
    error = try_allocate(&block, size);
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail(ATA_OUT_OF_MEMORY, "out of memory of device '", device_.info().name, "': a tensor of ",
         bytes, " bytes, while tensors hold ", live_,
         " bytes; use smaller batches, fewer frames, or bf16");
  }
  check(error, concat("allocating ", bytes, " bytes").c_str());
  live_ += static_cast<int64_t>(bytes);
  peak_ = std::max(peak_, live_);
  return block;
}

void PoolMemory::release(void* block, size_t bytes) noexcept {
  std::lock_guard lock(mutex_);
  live_ -= static_cast<int64_t>(bytes);
  try {
    const CurrentDevice current(device_.ordinal());
    device_.streams().hold_back(stream_, event_);
    check(cudaFreeAsync(block, stream_), "releasing memory");
  } catch (...) {
    // Without events: once nothing runs that may use it.
    if (cudaDeviceSynchronize() == cudaSuccess && cudaFree(block) == cudaSuccess) return;
    cudaGetLastError();
    log(ATA_LOG_ERROR, "memory of a GPU could not be released");
  }
}

void PoolMemory::trim() {
  const CurrentDevice current(device_.ordinal());
  std::lock_guard lock(mutex_);
  check(cudaStreamSynchronize(stream_), "waiting for memory of a GPU");
  check(cudaMemPoolTrimTo(pool_, 0), "giving memory of a GPU back");
}

Device* PoolMemory::device() const {
  return &device_;
}

int attribute(cudaDeviceAttr which, int ordinal) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, ordinal), "asking for an attribute of a GPU");
  return value;
}

// Whether the runtime answers every later call with this error.
bool loses_gpu(cudaError_t error) {
  switch (error) {
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorMisalignedAddress:
      return true;
    default:
      return false;
  }
}

constexpr char kDriverRemedy[] = "install NVIDIA's driver 580 or newer";

std::string cuda_version(int version) {
  return concat(version / 1000, ".", version % 1000 / 10);
}

// Null, with the reason, for a GPU that cannot be used.
Device* make_device(int ordinal, const std::string& driver, const std::string& libraries,
                    std::string& reason) {
  cudaDeviceProp prop;
  check(cudaGetDeviceProperties(&prop, ordinal), "asking for the properties of a GPU");
  const Properties properties = {
      10 * attribute(cudaDevAttrComputeCapabilityMajor, ordinal) +
          attribute(cudaDevAttrComputeCapabilityMinor, ordinal),
      attribute(cudaDevAttrMultiProcessorCount, ordinal),
      static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal))};
  if (properties.architecture < kLeastArchitecture) {
    reason = concat("GPU ", ordinal, ", ", prop.name, ", has compute capability ",
                    properties.architecture / 10, ".", properties.architecture % 10,
                    "; Ata needs 7.5 (Turing) or newer");
    return nullptr;
  }
  if (attribute(cudaDevAttrMemoryPoolsSupported, ordinal) == 0) {
    reason = concat("GPU ", ordinal, ", ", prop.name, ", has no memory pools (cudaMallocAsync)");
    return nullptr;
  }
  // Which kernels attend is said, so that nobody takes one's speed for the other's.
  const char* const attention = properties.architecture >= kTensorCoreArchitecture
                                    ? ", attention by own kernels (bf16 on tensor cores)"
                                    : ", attention by own kernels (without tensor cores)";
  // Lives as long as the process.
  return new CudaDevice(ordinal,
                        {concat("cuda:", ordinal), prop.name, driver, concat(libraries, attention)},
                        properties);
}

// Every GPU that can be used, and why another cannot.
void find_gpus(const std::string& libraries, Devices& found) {
  int version = 0;
  check(cudaDriverGetVersion(&version), "asking for the driver's version");
  if (version == 0) {
    found.reason = concat("no NVIDIA driver was found; ", kDriverRemedy);
    return;
  }
  if (version < CUDART_VERSION / 1000 * 1000) {
    found.reason = concat("the NVIDIA driver supports CUDA ", cuda_version(version), ", and CUDA ",
                          CUDART_VERSION / 1000, " is needed; ", kDriverRemedy);
    return;
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    cudaGetLastError();
    found.reason = "the NVIDIA driver sees no GPU (is CUDA_VISIBLE_DEVICES set?)";
    return;
  }
  check(error, "looking for GPUs");
  const std::string driver = concat("CUDA ", cuda_version(version));
  std::vector<std::string> unusable;
  for (int i = 0; i < count; ++i) {
    std::string reason;
    Device* device = nullptr;
    // One that is broken, or belongs to another process alone, keeps nobody from the others.
    try {
      device = make_device(i, driver, libraries, reason);
    } catch (const Error& failure) {
      reason = concat("GPU ", i, ": ", failure.what());
    }
    if (device) {
      found.devices.push_back(device);
    } else {
      unusable.push_back(reason);
    }
  }
  for (const std::string& reason : unusable) {
    if (!found.devices.empty()) {
      log(ATA_LOG_WARNING, reason);
    } else {
      found.reason += concat(found.reason.empty() ? "" : "; ", reason);
    }
  }
}

Devices find_devices() {
  Devices found;
  std::string libraries, problems;
  for (const LibraryState& library : library_states()) {
    if (library.problem.empty()) {
      libraries += concat(libraries.empty() ? "" : ", ", library.version);
    } else {
      problems += concat(problems.empty() ? "" : "; ", library.problem);
    }
  }
  try {
    find_gpus(libraries, found);
  } catch (const Error& error) {
    found.reason = error.what();
  }
  if (!problems.empty()) {
    // Each is named, so that nobody mends one to hear of the next.
    found.devices.clear();
    found.reason = concat(found.reason.empty() ? "" : concat(found.reason, "; "), problems);
  }
  return found;
}

}  // namespace

const Devices& devices() {
  static const Devices& found = *new Devices(find_devices());
  return found;
}

StreamState& state_of(const Stream& stream) {
  return *static_cast<StreamState*>(stream.native);
}

const Properties& properties(const Stream& stream) {
  return state_of(stream).properties();
}

cudaStream_t queue(const Stream& stream) {
  return state_of(stream).handle();
}

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  // Else the next call that asks for the last error would find this one.
  cudaGetLastError();
  if (error == cudaErrorMemoryAllocation) {
    fail(ATA_OUT_OF_MEMORY, what,
         " failed: the GPU is out of memory; use smaller batches, fewer frames, or bf16");
  }
  fail(ATA_DEVICE_UNAVAILABLE, what, " failed: ", cudaGetErrorString(error), " (",
       cudaGetErrorName(error), ")",
       loses_gpu(error) ? "; this process can use the GPU no more: start it anew" : "");
}

void check_launch(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) check(error, concat("kernel ", kernel).c_str());
}

void allow_shared_memory(const void* kernel, const char* name, size_t bytes) {
  constexpr size_t kAlways = size_t{48} << 10;
  if (bytes <= kAlways) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        concat("kernel ", name, ": having ", bytes, " bytes of shared memory").c_str());
}

}  // namespace ata::cuda
