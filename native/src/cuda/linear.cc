#include "cuda/blas.h"
#include "cuda/entries.h"

namespace ata::cuda {
namespace {

// `tensor` rounded or widened to `dtype`; itself when it is of that type.
Tensor converted(Stream& stream, const Tensor& tensor, DType dtype) {
  if (!tensor || tensor.dtype() == dtype) return tensor;
  Tensor result(tensor.shape(), dtype, stream.allocator);
  convert(stream, tensor, result);
  return result;
}

// A weight as products take it: row-major, in their type.
class PackedLinear : public PackedMatrix {
 public:
  explicit PackedLinear(Tensor weight) : weight_(std::move(weight)) {}
  DType dtype() const override { return weight_.dtype(); }
  const Tensor& weight() const { return weight_; }

 private:
  Tensor weight_;
};

}  // namespace

std::shared_ptr<const PackedMatrix> pack_linear(Stream& stream, const Tensor& weight, DType dtype) {
  return std::make_shared<const PackedLinear>(converted(stream, weight, dtype));
}

void linear(Stream& stream, const Tensor& x, const Tensor& weight, const PackedMatrix* packed,
            const Tensor& bias, Activation activation, bool accumulate, Tensor& y) {
  const Tensor w = packed ? static_cast<const PackedLinear*>(packed)->weight()
                          : converted(stream, weight, x.dtype());
  // cuBLASLt gives products of f32 in f32 alone.
  const bool narrow = x.dtype() == DType::kF32 && y.dtype() == DType::kBF16;
  Tensor result = narrow ? Tensor(y.shape(), DType::kF32, stream.allocator) : y;
  multiply(stream, {x}, {w, true}, converted(stream, bias, result.dtype()), accumulate, result);
  // cuBLASLt's GELU is the tanh form.
  if (activation != Activation::kNone) activate(stream, result, activation, result);
  if (narrow) convert(stream, result, y);
}

void linear_input_gradient(Stream& stream, const Tensor& dy, const Tensor& weight, Tensor& dx) {
  multiply(stream, {dy}, {converted(stream, weight, dy.dtype())}, {}, false, dx);
}

void linear_weight_gradient(Stream& stream, const Tensor& dy, const Tensor& x, bool accumulate,
                            Tensor& dweight) {
  // An empty sum.
  if (dy.dim(0) == 0) {
    if (!accumulate && dweight.count() > 0) {
      stream.device.fill(dweight.address(), 0, dweight.bytes(), stream);
    }
    return;
  }
  multiply(stream, {dy, true}, {x}, {}, accumulate, dweight);
}

}  // namespace ata::cuda
