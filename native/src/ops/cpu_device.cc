#include "ops/cpu_device.h"

#include <cstring>

#include "backend/kernels.h"
#include "ops/cpu.h"
#include "ops/cpu_info.h"

namespace ata {
namespace {

constexpr Kernels kTable = {
    .version = kKernelsVersion,
    .convert = cpu::convert,
    .add = cpu::add,
    .scale = cpu::scale,
    .scale_rows = cpu::scale_rows,
    .transpose = cpu::transpose,
    .mean_rows = cpu::mean_rows,
    .mean_rows_gradient = cpu::mean_rows_gradient,
    .gather_rows = cpu::gather_rows,
    .gather_rows_gradient = cpu::gather_rows_gradient,
    .dropout = cpu::dropout,
    .pack_linear = cpu::pack_linear,
    .linear = cpu::linear,
    .linear_input_gradient = cpu::linear_input_gradient,
    .linear_weight_gradient = cpu::linear_weight_gradient,
    .linear_bias_gradient = cpu::linear_bias_gradient,
    .activate = cpu::activate,
    .activate_gradient = cpu::activate_gradient,
    .layer_norm = cpu::layer_norm,
    .layer_norm_gradient = cpu::layer_norm_gradient,
    .attention = cpu::attention,
    .attention_gradient = cpu::attention_gradient,
    .count_visits = cpu::count_visits,
    .visited_rows = cpu::visited_rows,
    .temporal_attention = cpu::temporal_attention,
    .temporal_attention_gradient = cpu::temporal_attention_gradient,
    .align = cpu::align,
    .assign = cpu::assign,
    .soft_weights = cpu::soft_weights,
    .soft_weights_gradient = cpu::soft_weights_gradient,
    .divide = cpu::divide,
    .negative_row_dots = cpu::negative_row_dots,
    .extract_patches = cpu::extract_patches,
    .extract_patches_gradient = cpu::extract_patches_gradient,
    .embed_tokens = cpu::embed_tokens,
    .embed_tokens_gradient = cpu::embed_tokens_gradient,
    .softmax_cross_entropy = cpu::softmax_cross_entropy,
    .sums_of_squares = cpu::sums_of_squares,
    .scale_by = cpu::scale_by,
    .adamw = cpu::adamw,
    .sgd = cpu::sgd,
};

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
  void copy_out(void* host, const void* from, size_t bytes, Stream&) override {
    std::memcpy(host, from, bytes);
  }
  void copy(void* to, const void* from, size_t bytes, Stream&) override {
    std::memcpy(to, from, bytes);
  }
  void fill(void* to, int byte, size_t bytes, Stream&) override { std::memset(to, byte, bytes); }
  void synchronize(Stream&) override {}

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
