#include "cuda/blas.h"
#include "cuda/entries.h"
#include "cuda/kernels/linear_end.h"

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
  const bool in_f32 = x.dtype() == DType::kF32;
  if (y.dtype() == DType::kF32) {
    // cuBLASLt's GELU is the tanh form.
    multiply(stream, {x}, {w, true}, bias, accumulate, y);
    if (activation != Activation::kNone) activate(stream, y, activation, y);
    return;
  }
  // Products of f32 are f32. A bias of a bf16 result it would round to bf16, and that alone can
  // double the error of a model's logits: the end is ours, with the bias in f32 on the f32 product,
  // or before an activation on the bf16 one, which is half the memory to read and as good there.
  const bool wide = in_f32 || (bias && activation == Activation::kNone);
  Tensor product = wide ? Tensor(y.shape(), DType::kF32, stream.allocator) : y;
  multiply(stream, {x}, {w, true}, {}, false, product);
  if (wide || bias || activation != Activation::kNone) {
    add_bias_and_activate(stream, product, bias, activation, y);
  }
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
