#ifndef ATA_BACKEND_DEVICE_H_
#define ATA_BACKEND_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace ata {

struct Kernels;  // backend/kernels.h
struct Stream;

struct DeviceInfo {
  /// What it is asked for by: "cpu", "cuda:0".
  std::string name;
  /// What it is, such as the product's name.
  std::string description;
  /// Version of its driver; empty where there is none.
  std::string driver = {};
  /// Versions of the libraries that it computes with; empty where that is no question of the
  /// machine.
  std::string libraries = {};
};

/// Memory of a device, whoever uses it, in bytes; -1 where the system does not tell.
struct DeviceCapacity {
  int64_t total_bytes = -1;
  int64_t free_bytes = -1;
};

/// Work that was recorded once and can be queued again, on the same memory. It may go when it is
/// queued and not yet done.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Queues it on the stream that it was recorded on.
  virtual void replay() = 0;
};

/// Values that go from a device's memory to the host's.
struct CopyOut {
  void* host;
  const void* from;
  size_t bytes;
};

/// What runs the library's operations: memory, copies and kernels, and nothing of models. One
/// object a device, alive as long as the process. Thread-safe.
///
/// Work is queued on a stream and runs in its order; only copy_out() and synchronize() wait for it.
/// Whoever hands a tensor on to users of another stream synchronises first.
/// Blocks of memory may be released while queued work still uses them.
class Device {
 public:
  virtual ~Device() = default;
  /// Lives as long as the device.
  virtual const DeviceInfo& info() const = 0;
  virtual const Kernels& kernels() const = 0;

  /// The device's memory, for what outlives a run. The host's heap, where that is the device's
  /// memory, belongs to no device (Allocator::device() is null).
  virtual std::shared_ptr<Allocator> memory() = 0;
  /// Bytes that tensors hold in it, now and at most since the process began.
  virtual MemoryStatistics memory_statistics() const = 0;
  virtual DeviceCapacity capacity() const = 0;
  /// A new stream, whose results and temporary memory come from `allocator`.
  virtual std::shared_ptr<Stream> make_stream(std::shared_ptr<Allocator> allocator) = 0;

  /// A stream over the caller's own queue, which outlives it. Throws ATA_UNSUPPORTED where the
  /// device has no queues, or the handle is none.
  virtual std::shared_ptr<Stream> wrap_stream(std::shared_ptr<Allocator> allocator,
                                              void* native) = 0;
  /// Records what `work` queues on the stream, and does not run it. Null where the device does not
  /// record, or where `work` did what cannot be recorded, such as reading values on the host or
  /// sending some: then it was cut short, without effect. What the tensors of `work` hold is the
  /// caller's to keep as long as the recording.
  virtual std::unique_ptr<Recording> record(Stream& stream, const std::function<void()>& work) = 0;
  /// Throws ATA_INVALID_ARGUMENT, naming `what`, unless kernels of the device can read the memory.
  virtual void check_reachable(const void* data, const char* what) const = 0;

  /// From the host's memory; returns when `host` may be changed.
  virtual void copy_in(void* to, const void* host, size_t bytes, Stream& stream) = 0;
  /// To the host's memory, after all that was queued before; waits once for all of them.
  virtual void copy_out(std::span<const CopyOut> copies, Stream& stream) = 0;
  virtual void copy(void* to, const void* from, size_t bytes, Stream& stream) = 0;
  virtual void fill(void* to, int byte, size_t bytes, Stream& stream) = 0;
  virtual void synchronize(Stream& stream) = 0;

  /// Gives back what is kept between calls and that no tensor, stream or recording holds.
  virtual void release_caches() {}
};

/// What only a device sees happen, as bits of a stream's status. Kernels set them and go on;
/// Context::check_status() turns them into errors.
enum StreamStatus : int32_t {
  /// A class index lies outside the classes.
  kClassOutOfRange = 1,
  /// An index of trajectories lies outside the patches.
  kPatchOutOfRange = 2,
  /// Features that were to be aligned hold a NaN or an infinity.
  kFeatureNotFinite = 4,
};

/// Where work is queued. One thread at a time.
struct Stream {
  Device& device;
  /// Of results and temporary memory.
  std::shared_ptr<Allocator> allocator;
  /// i32 `[1]` in the device's memory: bits of StreamStatus.
  Tensor status;
  /// The device's own handle, or null.
  void* native = nullptr;
};

}  // namespace ata

#endif  // ATA_BACKEND_DEVICE_H_
