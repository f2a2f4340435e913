#include "fenced_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "ops/cpu.h"

namespace ata {
namespace {

// A range of addresses that is closed to everyone but while it is open. First fit; what it keeps
// about its blocks lies outside.
class FencedMemory : public Allocator {
 public:
  FencedMemory(Device& device)
      : device_(device),
        base_(static_cast<char*>(mmap(nullptr, kReserved, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))),
        free_{{0, kReserved}} {
    if (base_ == MAP_FAILED) fail(ATA_OUT_OF_MEMORY, "the fenced device cannot reserve its memory");
  }

  void* allocate(size_t bytes) override {
    std::lock_guard lock(mutex_);
    const size_t size = rounded(bytes, kAlignment);
    for (auto hole = free_.begin(); hole != free_.end(); ++hole) {
      if (hole->second < size) continue;
      const size_t at = hole->first, rest = hole->second - size;
      free_.erase(hole);
      if (rest > 0) free_[at + size] = rest;
      if (at + size > used_) {
        used_ = rounded(at + size, kPage);
        if (open_ > 0) protect(PROT_READ | PROT_WRITE);
      }
      live_ += static_cast<int64_t>(size);
      peak_ = std::max(peak_, live_);
      return base_ + at;
    }
    fail(ATA_OUT_OF_MEMORY, "out of the fenced device's memory: a tensor of ", bytes, " bytes");
  }

  void release(void* block, size_t bytes) noexcept override {
    std::lock_guard lock(mutex_);
    size_t at = static_cast<size_t>(static_cast<char*>(block) - base_);
    size_t size = rounded(bytes, kAlignment);
    live_ -= static_cast<int64_t>(size);
    auto next = free_.lower_bound(at);
    if (next != free_.end() && at + size == next->first) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto previous = std::prev(next);
      if (previous->first + previous->second == at) {
        previous->second += size;
        return;
      }
    }
    free_[at] = size;
  }

  bool holds(const void* data) const {
    return data >= base_ && data < static_cast<const void*>(base_ + kReserved);
  }

  Device* device() const override { return &device_; }
  bool is_readable() const override { return open_ > 0; }

  MemoryStatistics statistics() {
    std::lock_guard lock(mutex_);
    return {live_, peak_};
  }

  DeviceCapacity capacity() {
    std::lock_guard lock(mutex_);
    return {static_cast<int64_t>(kReserved), static_cast<int64_t>(kReserved) - live_};
  }

  void open() {
    std::lock_guard lock(mutex_);
    if (open_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    std::lock_guard lock(mutex_);
    if (--open_ == 0) protect(PROT_NONE);
  }

 private:
  static constexpr size_t kReserved = size_t{4} << 30;
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kPage = 65536;

  // No tensor is so small that two share an address.
  static size_t rounded(size_t bytes, size_t unit) {
    return std::max((bytes + unit - 1) / unit, size_t{1}) * unit;
  }
  void protect(int access) {
    if (used_ > 0 && mprotect(base_, used_, access) != 0) std::abort();
  }

  Device& device_;
  char* const base_;
  std::mutex mutex_;
  std::map<size_t, size_t> free_;
  size_t used_ = 0;
  int64_t live_ = 0;
  int64_t peak_ = 0;
  std::atomic<int> open_ = 0;
};

FencedMemory& fenced_memory();

class Opening {
 public:
  Opening() { fenced_memory().open(); }
  ~Opening() { fenced_memory().close(); }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
};

std::atomic<int64_t> entries = 0;

// An entry of the CPU with the fence open around it.
template <auto Entry>
struct Fenced;
template <typename Result, typename... Parameters, Result (*Entry)(Stream&, Parameters...)>
struct Fenced<Entry> {
  static Result run(Stream& stream, Parameters... parameters) {
    const Opening opening;
    ++entries;
    return Entry(stream, std::forward<Parameters>(parameters)...);
  }
};
template <auto Entry>
constexpr auto fenced = Fenced<Entry>::run;

#define ATA_ENTRY(name) .name = fenced<cpu::name>,
constexpr Kernels kTable = {.version = kKernelsVersion, ATA_KERNEL_NAMES(ATA_ENTRY)};
#undef ATA_ENTRY

class FencedDevice : public Device {
 public:
  const DeviceInfo& info() const override { return info_; }
  const Kernels& kernels() const override { return kTable; }

  std::shared_ptr<Allocator> memory() override {
    return std::shared_ptr<Allocator>(std::shared_ptr<void>(), &fenced_memory());
  }
  MemoryStatistics memory_statistics() const override { return fenced_memory().statistics(); }
  DeviceCapacity capacity() const override { return fenced_memory().capacity(); }
  std::shared_ptr<Stream> make_stream(std::shared_ptr<Allocator> allocator) override {
    auto stream = std::make_shared<Stream>(
        Stream{*this, std::move(allocator), Tensor({1}, DType::kI32, memory())});
    fill(stream->status.address(), 0, stream->status.bytes(), *stream);
    return stream;
  }

  std::shared_ptr<Stream> wrap_stream(std::shared_ptr<Allocator>, void*) override {
    fail(ATA_UNSUPPORTED, "device 'fenced' has no streams");
  }
  std::unique_ptr<Recording> record(Stream&, const std::function<void()>&) override {
    return nullptr;
  }
  void check_reachable(const void* data, const char* what) const override {
    require(fenced_memory().holds(data), what, " is not in the memory of device 'fenced'");
  }

  void copy_in(void* to, const void* host, size_t bytes, Stream&) override {
    const Opening opening;
    std::memcpy(to, host, bytes);
  }
  void copy_out(std::span<const CopyOut> copies, Stream&) override {
    const Opening opening;
    for (const CopyOut& copy : copies) std::memcpy(copy.host, copy.from, copy.bytes);
  }
  void copy(void* to, const void* from, size_t bytes, Stream&) override {
    const Opening opening;
    std::memcpy(to, from, bytes);
  }
  void fill(void* to, int byte, size_t bytes, Stream&) override {
    const Opening opening;
    std::memset(to, byte, bytes);
  }
  void synchronize(Stream&) override {}

 private:
  const DeviceInfo info_ = {"fenced", "the CPU behind a fence", "1.0", "none"};
};

FencedMemory& fenced_memory() {
  static FencedMemory& memory = *new FencedMemory(fenced_device());
  return memory;
}

}  // namespace

Device& fenced_device() {
  static FencedDevice& device = *new FencedDevice;
  return device;
}

int64_t fenced_entries() {
  return entries;
}

}  // namespace ata
