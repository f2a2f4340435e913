#include "ops/cpu.h"
#include "ops/matmul_cpu.h"

namespace ata::cpu {
namespace {

// `tensor` rounded or widened to `dtype`; itself when it is of that type.
Tensor converted(Stream& stream, const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  Tensor result(tensor.shape(), dtype, stream.allocator);
  convert(stream, tensor, result);
  return result;
}

// A factor of a product in `precision`, as matmul() takes it: on processors without bf16 products
// the values are rounded to bf16 and multiplied in f32, which gives the same sums.
Tensor factor(Stream& stream, const Tensor& tensor, DType precision) {
  const Tensor rounded = converted(stream, tensor, precision);
  return has_bf16_matmul() ? rounded : converted(stream, rounded, DType::kF32);
}

// W in the layout that products with many rows gain more from than the packing costs, or null.
std::shared_ptr<const PackedFactor> pack_if_worthwhile(Stream& stream, const MatrixView& w,
                                                       int64_t rows, DType precision) {
  constexpr int64_t kRows = 512;
  constexpr int64_t kElements = 256 * 256;
  const bool direct = precision == DType::kF32 || has_bf16_matmul();
  if (!direct || rows < kRows || w.data.count() < kElements) return nullptr;
  return pack_factor(w, precision, stream.allocator);
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

std::shared_ptr<const PackedMatrix> pack_linear(Stream& stream, const Tensor& weight, DType dtype) {
  const bool direct = dtype == DType::kF32 || has_bf16_matmul();
  const Tensor values = direct ? weight : factor(stream, weight, dtype);
  return std::make_shared<const PackedLinear>(
      pack_factor({values, true}, direct ? dtype : DType::kF32, stream.allocator), dtype);
}

void linear(Stream& stream, const Tensor& x, const Tensor& weight, const PackedMatrix* packed,
            const Tensor& bias, Activation activation, bool accumulate, Tensor& y) {
  const Tensor a = factor(stream, x, x.dtype());
  // Without bf16 products there are no bf16 results either.
  const bool widen = y.dtype() == DType::kBF16 && a.dtype() == DType::kF32;
  Tensor result = widen ? Tensor(y.shape(), DType::kF32, stream.allocator) : y;
  const MatmulOptions options{bias, activation, accumulate};
  if (packed) {
    matmul({a}, static_cast<const PackedLinear*>(packed)->weights(), options, result,
           stream.allocator);
  } else if (const auto w = pack_if_worthwhile(stream, {weight, true}, x.dim(0), x.dtype())) {
    matmul({a}, *w, options, result, stream.allocator);
  } else {
    matmul({a}, {factor(stream, weight, x.dtype()), true}, options, result, stream.allocator);
  }
  if (widen) convert(stream, result, y);
}

void linear_input_gradient(Stream& stream, const Tensor& dy, const Tensor& weight, Tensor& dx) {
  const Tensor a = factor(stream, dy, dy.dtype());
  if (const auto w = pack_if_worthwhile(stream, {weight}, dy.dim(0), dy.dtype())) {
    matmul({a}, *w, {}, dx, stream.allocator);
  } else {
    matmul({a}, {factor(stream, weight, dy.dtype())}, {}, dx, stream.allocator);
  }
}

void linear_weight_gradient(Stream& stream, const Tensor& dy, const Tensor& x, bool accumulate,
                            Tensor& dweight) {
  MatmulOptions options;
  options.accumulate = accumulate;
  const MatrixView a = {factor(stream, dy, dy.dtype()), true};
  matmul(a, {factor(stream, x, x.dtype())}, options, dweight, stream.allocator);
}

}  // namespace ata::cpu
