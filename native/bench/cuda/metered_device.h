#ifndef ATA_BENCH_CUDA_METERED_DEVICE_H_
#define ATA_BENCH_CUDA_METERED_DEVICE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/device.h"
#include "work.h"

namespace ata::bench {

/// What the calls of one entry, or copies of one kind, came to.
struct Tally {
  std::string name;
  int64_t calls = 0;
  Work work;
  /// Sum of the bounds of the calls.
  double bound_seconds = 0;
  /// From the call until the device is done; 0 where nothing was timed.
  double seconds = 0;
  /// Most temporary memory of one call.
  int64_t temporary_bytes = 0;

  /// Copies to and from the host, which the memory of a GPU is not what limits: they have no bound.
  bool is_of_host() const { return name == "upload" || name == "download"; }
};

/// Another device, whose work is counted. Its streams, memory and results are those of the other.
/// One thread at a time while it counts.
class MeteredDevice : public Device {
 public:
  /// `inner` lives as long as this.
  explicit MeteredDevice(Device& inner) : inner_(inner) {}

  /// What bounds are reckoned with.
  const Ceilings& ceilings() const { return ceilings_; }
  void set_ceilings(const Ceilings& ceilings) { ceilings_ = ceilings; }

  /// From now on every call is counted, and with `timed` waited for, so that nothing overlaps. Work
  /// is not recorded meanwhile: it would run uncounted.
  void begin(bool timed);
  /// Counts no more: the device is then as fast as the other. What there was, in the order of
  /// kernel_names.h, then `fill`, `copy`, `upload` and `download`.
  std::vector<Tally> end();

  const DeviceInfo& info() const override { return inner_.info(); }
  const Kernels& kernels() const override;
  std::shared_ptr<Allocator> memory() override { return inner_.memory(); }
  MemoryStatistics memory_statistics() const override { return inner_.memory_statistics(); }
  void release_caches() override { inner_.release_caches(); }
  DeviceCapacity capacity() const override { return inner_.capacity(); }
  std::shared_ptr<Stream> make_stream(std::shared_ptr<Allocator> allocator) override;
  std::shared_ptr<Stream> wrap_stream(std::shared_ptr<Allocator> allocator, void* native) override;
  std::unique_ptr<Recording> record(Stream& stream, const std::function<void()>& work) override;
  void check_reachable(const void* data, const char* what) const override {
    inner_.check_reachable(data, what);
  }
  void copy_in(void* to, const void* host, size_t bytes, Stream& stream) override;
  void copy_out(std::span<const CopyOut> copies, Stream& stream) override;
  void copy(void* to, const void* from, size_t bytes, Stream& stream) override;
  void fill(void* to, int byte, size_t bytes, Stream& stream) override;
  void synchronize(Stream& stream) override { inner_.synchronize(stream); }

 private:
  template <auto Entry, auto Count>
  friend struct Metered;
  // Of a call that lasts from its making to its end; within another one it is part of that.
  class Call;

  std::shared_ptr<Stream> over(std::shared_ptr<Stream> stream);

  Device& inner_;
  Ceilings ceilings_ = kH200;
  bool counting_ = false;
  bool timed_ = false;
  bool inside_ = false;
  std::map<std::string, Tally> tallies_;
};

}  // namespace ata::bench

#endif  // ATA_BENCH_CUDA_METERED_DEVICE_H_
