#include "ops/cpu_device.h"

#include <cstring>

#include "backend/kernels.h"
#include "ops/cpu.h"
#include "ops/cpu_info.h"
#include "ops/matmul_cpu.h"

namespace ata {
namespace {

#define ATA_ENTRY(name) .name = cpu::name,
constexpr Kernels kTable = {.version = kKernelsVersion, ATA_KERNEL_NAMES(ATA_ENTRY)};
#undef ATA_ENTRY

class CpuDevice : public Device {
 public:
  const DeviceInfo& info() const override { return info_; }
  const Kernels& kernels() const override { return kTable; }

  std::shared_ptr<Allocator> memory() override { return heap_allocator(); }
  MemoryStatistics memory_statistics() const override { return ata::memory_statistics(); }
  DeviceCapacity capacity() const override { return machine_memory(); }
  std::shared_ptr<Stream> make_stream(std::shared_ptr<Allocator> allocator) override {
    return std::make_shared<Stream>(
        Stream{*this, std::move(allocator), Tensor::zeros({1}, DType::kI32)});
  }

  std::shared_ptr<Stream> wrap_stream(std::shared_ptr<Allocator>, void*) override {
    fail(ATA_UNSUPPORTED, "device 'cpu' has no streams; leave the stream empty");
  }
  std::unique_ptr<Recording> record(Stream&, const std::function<void()>&) override {
    return nullptr;
  }
  void check_reachable(const void*, const char*) const override {}

  void copy_in(void* to, const void* host, size_t bytes, Stream&) override {
    std::memcpy(to, host, bytes);
  }
  void copy_out(std::span<const CopyOut> copies, Stream&) override {
    for (const CopyOut& copy : copies) std::memcpy(copy.host, copy.from, copy.bytes);
  }
  void copy(void* to, const void* from, size_t bytes, Stream&) override {
    std::memcpy(to, from, bytes);
  }
  void fill(void* to, int byte, size_t bytes, Stream&) override { std::memset(to, byte, bytes); }
  void synchronize(Stream&) override {}
  void release_caches() override { cpu::release_product_cache(); }

 private:
  const DeviceInfo info_ = {"cpu", processor_name()};
};

}  // namespace

Device& cpu_device() {
  // Never destroyed: tensors of other static objects may come after it.
  static CpuDevice& device = *new CpuDevice;
  return device;
}

}  // namespace ata
