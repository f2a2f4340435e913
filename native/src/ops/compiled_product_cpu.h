#ifndef ATA_OPS_COMPILED_PRODUCT_CPU_H_
#define ATA_OPS_COMPILED_PRODUCT_CPU_H_

#include <compare>
#include <dnnl.hpp>
#include <memory>

#include "backend/kernels.h"
#include "base/error.h"

/// oneDNN's matrix products, each compiled once and computed on the thread that calls it.
namespace ata::cpu {

const dnnl::engine& cpu_engine();

/// While it lives, oneDNN, which would start threads of its own for a product, is kept to the one
/// that calls it.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int previous_;
};

/// Runs `body`, turning oneDNN's exceptions into the library's.
template <class Body>
auto guarded(const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    fail(error.status == dnnl_out_of_memory ? ATA_OUT_OF_MEMORY : ATA_INTERNAL,
         "oneDNN failed: ", error.what());
  }
}

dnnl::memory::data_type data_type(DType dtype);

/// A matrix inside another one whose rows (columns, when it is read transposed) are `stride` apart.
dnnl::memory::desc plain_desc(int64_t rows, int64_t columns, int64_t stride, DType dtype,
                              bool transposed);

/// Layouts of right factors: plain, whichever is fastest, or a number from layout_of().
constexpr int kPlainLayout = 0;
constexpr int kAnyLayout = -1;

/// Everything a compiled product depends on. Strides are those of the whole matrices.
struct ProductKey {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_stride = 0, c_stride = 0;
  DType factors = DType::kF32, result = DType::kF32;
  bool a_transposed = false;
  bool bias = false;
  Activation activation = Activation::kNone;
  bool accumulate = false;
  /// Of a plain right factor.
  bool b_transposed = false;
  int64_t b_stride = 0;
  int layout = kPlainLayout;
  auto operator<=>(const ProductKey&) const = default;
};

struct Product {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
};

/// Describes the product with a right factor of this layout. Throws dnnl::error where there is
/// none.
dnnl::matmul::primitive_desc describe(const ProductKey& key, const dnnl::memory::desc& b);

/// The product, compiled now or before. Thread-safe; several threads may execute it at once, each
/// with a scratchpad of its own.
std::shared_ptr<const Product> compiled_product(const ProductKey& key, const dnnl::memory::desc& b);

/// A number that equal layouts share, above kPlainLayout. Thread-safe.
int layout_of(const dnnl::memory::desc& desc);

}  // namespace ata::cpu

#endif  // ATA_OPS_COMPILED_PRODUCT_CPU_H_
