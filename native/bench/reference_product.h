#ifndef ATA_BENCH_REFERENCE_PRODUCT_H_
#define ATA_BENCH_REFERENCE_PRODUCT_H_

#include <chrono>
#include <dnnl.hpp>
#include <unordered_map>

#include "ops/onednn.h"

namespace ata::bench {

/// The yardstick of the benchmarks: oneDNN's own matrix product, 1576 x 768 by 768 x 3072 (the MLP
/// of ViT-B/16 on 8 frames of 224 x 224), weights packed beforehand. A machine's speed varies from
/// second to second, so time this beside what is measured.
class ReferenceProduct {
 public:
  explicit ReferenceProduct(dnnl::memory::data_type type) {
    using dnnl::memory;
    const memory::desc a({kRows, kInner}, type, memory::format_tag::ab);
    const memory::desc b({kInner, kColumns}, type, memory::format_tag::any);
    const memory::desc c({kRows, kColumns}, type, memory::format_tag::ab);
    const dnnl::matmul::primitive_desc product = onednn::describe_matmul(engine_, a, b, nullptr, c);
    matmul_ = dnnl::matmul(product);
    arguments_ = {{DNNL_ARG_SRC, memory(a, engine_)},
                  {DNNL_ARG_WEIGHTS, memory(product.weights_desc(), engine_)},
                  {DNNL_ARG_DST, memory(c, engine_)}};
    for (auto& [argument, block] : arguments_) {
      std::fill_n(static_cast<char*>(block.get_data_handle()), block.get_desc().get_size(), 0);
    }
    seconds();
  }

  /// Time of one product.
  double seconds() {
    const auto begin = std::chrono::steady_clock::now();
    matmul_.execute(stream_, arguments_);
    stream_.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  static constexpr double kFlop = 2.0 * 1576 * 768 * 3072;

 private:
  static constexpr dnnl::memory::dim kRows = 1576;
  static constexpr dnnl::memory::dim kInner = 768;
  static constexpr dnnl::memory::dim kColumns = 3072;

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul matmul_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace ata::bench

#endif  // ATA_BENCH_REFERENCE_PRODUCT_H_
