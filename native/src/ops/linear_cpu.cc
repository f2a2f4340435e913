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
  const Tensor values = factor(weight, dtype, heap_allocator());
  return std::make_shared<const PackedLinear>(pack_factor({values, true}), dtype);
}

void linear(const Tensor& x, const Tensor& weight, const PackedMatrix* packed, const Tensor& bias,
            bool gelu, bool accumulate, Tensor& y, const std::shared_ptr<Allocator>& scratch) {
  const Tensor a = factor(x, x.dtype(), scratch);
  // Without bf16 products there are no bf16 results either.
  const bool widen = y.dtype() == DType::kBF16 && a.dtype() == DType::kF32;
  Tensor result = widen ? Tensor(y.shape(), DType::kF32, scratch) : y;
  const MatmulOptions options{bias, gelu, accumulate};
  if (packed) {
    matmul({a}, static_cast<const PackedLinear*>(packed)->weights(), options, result, scratch);
  } else {
    matmul({a}, {factor(weight, x.dtype(), scratch), true}, options, result, scratch);
  }
  if (widen) convert(result, y);
}

void linear_input_gradient(const Tensor& dy, const Tensor& weight, DType compute, Tensor& dx,
                           const std::shared_ptr<Allocator>& scratch) {
  matmul({factor(dy, compute, scratch)}, {factor(weight, compute, scratch)}, {}, dx, scratch);
}

void linear_weight_gradient(const Tensor& dy, const Tensor& x, Tensor& dweight,
                            const std::shared_ptr<Allocator>& scratch) {
  MatmulOptions options;
  options.accumulate = true;
  matmul({factor(dy, x.dtype(), scratch), true}, {factor(x, x.dtype(), scratch)}, options, dweight,
         scratch);
}

}  // namespace ata::cpu
