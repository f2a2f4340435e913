#include "metered_device.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ata::bench {
namespace {

// What is taken within one call, of what stays after it only as long as that takes.
class TemporaryMemory : public Allocator {
 public:
  explicit TemporaryMemory(std::shared_ptr<Allocator> upstream) : upstream_(std::move(upstream)) {}

  void* allocate(size_t bytes) override {
    void* const block = upstream_->allocate(bytes);
    live_ += static_cast<int64_t>(bytes);
    peak_ = std::max(peak_, live_);
    return block;
  }
  void release(void* block, size_t bytes) noexcept override {
    live_ -= static_cast<int64_t>(bytes);
    upstream_->release(block, bytes);
  }
  Device* device() const override { return upstream_->device(); }
  bool is_readable() const override { return upstream_->is_readable(); }

  const std::shared_ptr<Allocator>& upstream() const { return upstream_; }
  int64_t peak() const { return peak_; }

 private:
  const std::shared_ptr<Allocator> upstream_;
  int64_t live_ = 0;
  int64_t peak_ = 0;
};

using Clock = std::chrono::steady_clock;

constexpr const char* kCopies[] = {"fill", "copy", "upload", "download"};

}  // namespace

class MeteredDevice::Call {
 public:
  Call(MeteredDevice& device, Stream& stream, const char* name, const Work& work)
      : device_(device), stream_(stream), counts_(device.counting_ && !device.inside_) {
    if (!counts_) return;
    device_.inside_ = true;
    tally_ = &device_.tallies_[name];
    tally_->calls += 1;
    tally_->work += work;
    tally_->bound_seconds += bound(work, device_.ceilings_);
    temporary_ = std::make_shared<TemporaryMemory>(stream_.allocator);
    stream_.allocator = temporary_;
    if (device_.timed_) {
      device_.inner_.synchronize(stream_);
      begin_ = Clock::now();
    }
  }
  ~Call() {
    if (!counts_) return;
    device_.inside_ = false;
    stream_.allocator = temporary_->upstream();
    tally_->temporary_bytes = std::max(tally_->temporary_bytes, temporary_->peak());
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// After the call, where it has not thrown.
  void finish() {
    if (!counts_ || !device_.timed_) return;
    device_.inner_.synchronize(stream_);
    tally_->seconds += std::chrono::duration<double>(Clock::now() - begin_).count();
  }

 private:
  MeteredDevice& device_;
  Stream& stream_;
  const bool counts_;
  Tally* tally_ = nullptr;
  std::shared_ptr<TemporaryMemory> temporary_;
  Clock::time_point begin_;
};

namespace {

// The name of each entry of the table, which is found by what it counts.
template <auto Count>
constexpr const char* kName = nullptr;
#define ATA_NAME(name) \
  template <>          \
  constexpr const char* kName<&work::name> = #name;
ATA_KERNEL_NAMES(ATA_NAME)
#undef ATA_NAME

}  // namespace

// An entry of the other device, counted.
template <auto Entry, auto Count>
struct Metered;
template <typename Result, typename... Parameters,
          Result (*Kernels::*Entry)(Stream&, Parameters...), Work (*Count)(Parameters...)>
struct Metered<Entry, Count> {
  static Result run(Stream& stream, Parameters... parameters) {
    auto& device = static_cast<MeteredDevice&>(stream.device);
    MeteredDevice::Call call(device, stream, kName<Count>, Count(parameters...));
    const auto entry = device.inner_.kernels().*Entry;
    if constexpr (std::is_void_v<Result>) {
      entry(stream, std::forward<Parameters>(parameters)...);
      call.finish();
    } else {
      Result result = entry(stream, std::forward<Parameters>(parameters)...);
      call.finish();
      return result;
    }
  }
};

namespace {

#define ATA_ENTRY(name) .name = Metered<&Kernels::name, &work::name>::run,
constexpr Kernels kTable = {.version = kKernelsVersion, ATA_KERNEL_NAMES(ATA_ENTRY)};
#undef ATA_ENTRY

}  // namespace

const Kernels& MeteredDevice::kernels() const {
  return counting_ ? kTable : inner_.kernels();
}

void MeteredDevice::begin(bool timed) {
  tallies_.clear();
  counting_ = true;
  timed_ = timed;
}

std::vector<Tally> MeteredDevice::end() {
  counting_ = false;
  std::vector<Tally> result;
  const auto take = [&](const char* name) {
    const auto found = tallies_.find(name);
    if (found == tallies_.end()) return;
    result.push_back(found->second);
    result.back().name = name;
  };
#define ATA_TAKE(name) take(#name);
  ATA_KERNEL_NAMES(ATA_TAKE)
#undef ATA_TAKE
  for (const char* name : kCopies) take(name);
  return result;
}

std::shared_ptr<Stream> MeteredDevice::over(std::shared_ptr<Stream> stream) {
  auto* const metered = new Stream{*this, stream->allocator, stream->status, stream->native};
  // The queue is the original's, and lives as long as this does.
  return std::shared_ptr<Stream>(metered, [stream](Stream* last) { delete last; });
}

std::shared_ptr<Stream> MeteredDevice::make_stream(std::shared_ptr<Allocator> allocator) {
  return over(inner_.make_stream(std::move(allocator)));
}

std::shared_ptr<Stream> MeteredDevice::wrap_stream(std::shared_ptr<Allocator> allocator,
                                                   void* native) {
  return over(inner_.wrap_stream(std::move(allocator), native));
}

std::unique_ptr<Recording> MeteredDevice::record(Stream& stream,
                                                 const std::function<void()>& work) {
  return counting_ ? nullptr : inner_.record(stream, work);
}

void MeteredDevice::copy_in(void* to, const void* host, size_t bytes, Stream& stream) {
  Call call(*this, stream, "upload", {.bytes = static_cast<double>(bytes)});
  inner_.copy_in(to, host, bytes, stream);
  call.finish();
}

void MeteredDevice::copy_out(std::span<const CopyOut> copies, Stream& stream) {
  double bytes = 0;
  for (const CopyOut& copy : copies) bytes += static_cast<double>(copy.bytes);
  Call call(*this, stream, "download", {.bytes = bytes});
  inner_.copy_out(copies, stream);
  call.finish();
}

void MeteredDevice::copy(void* to, const void* from, size_t bytes, Stream& stream) {
  Call call(*this, stream, "copy", {.bytes = 2 * static_cast<double>(bytes)});
  inner_.copy(to, from, bytes, stream);
  call.finish();
}

void MeteredDevice::fill(void* to, int byte, size_t bytes, Stream& stream) {
  Call call(*this, stream, "fill", {.bytes = static_cast<double>(bytes)});
  inner_.fill(to, byte, bytes, stream);
  call.finish();
}

}  // namespace ata::bench
