#include "ops/cpu.h"
#include "ops/matmul_cpu.h"

namespace ata::cpu {
namespace {

// `tensor` rounded or widened to `dtype`; itself when it is of that type.
Tensor converted(const Tensor& tensor, DType dtype, const std::shared_ptr<Allocator>& scratch) {
  if (tensor.dtype() == dtype) return tensor;
  Tensor result(tensor.shape(), dtype, scratch);
  convert(tensor, result);
  return result;
}

// A factor of a product in `precision`, as matmul() takes it: on processors without bf16 products
// the values are rounded to bf16 and multiplied in f32, which gives the same sums.
Tensor factor(const Tensor& tensor, DType precision, const std::shared_ptr<Allocator>& scratch) {
  const Tensor rounded = converted(tensor, precision, scratch);
  return has_bf16_matmul() ? rounded : converted(rounded, DType::kF32, scratch);
}

// W in the layout that products with many rows gain more from than the packing costs, or null.
std::shared_ptr<const PackedFactor> pack_if_worthwhile(const MatrixView& w, int64_t rows,
                                                       DType precision,
                                                       const std::shared_ptr<Allocator>& scratch) {
  constexpr int64_t kRows = 512;
  constexpr int64_t kElements = 256 * 256;
  const bool direct = precision == DType::kF32 || has_bf16_matmul();
  if (!direct || rows < kRows || w.data.count() < kElements) return nullptr;
  return pack_factor(w, precision, scratch);
}

class PackedLinear : public PackedMatrix {
 public:
  PackedLinear(std::shared_ptr<const PackedFactor> weights, DType dtype)
      : weights_(std::move(weights)), dtype_(dtype) {}
  DType dtype() const override { return dtype_; }
  const PackedFactor& weights() const { return *weights_; }

 private:
  std::shared_ptr<const PackedFactor> weights_;
  DType dtype_;
};

}  // namespace

std::shared_ptr<const PackedMatrix> pack_linear(const Tensor& weight, DType dtype) {
  const auto heap = heap_allocator();
  const bool direct = dtype == DType::kF32 || has_bf16_matmul();
  const Tensor values = direct ? weight : factor(weight, dtype, heap);
  return std::make_shared<const PackedLinear>(
      pack_factor({values, true}, direct ? dtype : DType::kF32, heap), dtype);
}

void linear(const Tensor& x, const Tensor& weight, const PackedMatrix* packed, const Tensor& bias,
            Activation activation, bool accumulate, Tensor& y,
            const std::shared_ptr<Allocator>& scratch) {
  const Tensor a = factor(x, x.dtype(), scratch);
  // Without bf16 products there are no bf16 results either.
  const bool widen = y.dtype() == DType::kBF16 && a.dtype() == DType::kF32;
  Tensor result = widen ? Tensor(y.shape(), DType::kF32, scratch) : y;
  const MatmulOptions options{bias, activation, accumulate};
  if (packed) {
    matmul({a}, static_cast<const PackedLinear*>(packed)->weights(), options, result, scratch);
  } else if (const auto w = pack_if_worthwhile({weight, true}, x.dim(0), x.dtype(), scratch)) {
    matmul({a}, *w, options, result, scratch);
  } else {
    matmul({a}, {factor(weight, x.dtype(), scratch), true}, options, result, scratch);
  }
  if (widen) convert(result, y);
}

void linear_input_gradient(const Tensor& dy, const Tensor& weight, Tensor& dx,
                           const std::shared_ptr<Allocator>& scratch) {
  const Tensor a = factor(dy, dy.dtype(), scratch);
  if (const auto w = pack_if_worthwhile({weight}, dy.dim(0), dy.dtype(), scratch)) {
    matmul({a}, *w, {}, dx, scratch);
  } else {
    matmul({a}, {factor(weight, dy.dtype(), scratch)}, {}, dx, scratch);
  }
}

void linear_weight_gradient(const Tensor& dy, const Tensor& x, bool accumulate, Tensor& dweight,
                            const std::shared_ptr<Allocator>& scratch) {
  // oneDNN's f32 product is half as fast with a plain right factor that is wider than this.
  constexpr int64_t kWide = 2560;
  MatmulOptions options;
  options.accumulate = accumulate;
  const MatrixView a = {factor(dy, dy.dtype(), scratch), true};
  if (x.dtype() == DType::kF32 && x.dim(1) >= kWide) {
    if (const auto b = pack_if_worthwhile({x}, dweight.dim(0), x.dtype(), scratch)) {
      matmul(a, *b, options, dweight, scratch);
      return;
    }
  }
  matmul(a, {factor(x, x.dtype(), scratch)}, options, dweight, scratch);
}

}  // namespace ata::cpu
