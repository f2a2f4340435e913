#include "ops/checks.h"

#include <cmath>

namespace ata {

void check_f32(const char* op, const char* name, const Tensor& tensor, const Shape& shape) {
  require(tensor.defined(), op, ": ", name, " is missing");
  require(tensor.dtype() == DType::kF32 && tensor.shape() == shape, op, ": ", name,
          " must be f32 of shape ", shape.to_string(), ", not ", dtype_name(tensor.dtype()),
          " of shape ", tensor.shape().to_string());
}

void check_float(const char* op, const char* name, DType dtype) {
  require(dtype == DType::kF32 || dtype == DType::kBF16, op, ": ", name,
          " must be f32 or bf16, not ", dtype_name(dtype));
}

void check_matrix(const char* op, const char* name, const Tensor& tensor, bool allow_bf16) {
  require(tensor.defined(), op, ": ", name, " is missing");
  require(tensor.rank() == 2, op, ": ", name, " must be a matrix, not of shape ",
          tensor.shape().to_string());
  if (allow_bf16) {
    check_float(op, name, tensor.dtype());
  } else {
    require(tensor.dtype() == DType::kF32, op, ": ", name, " must be f32, not ",
            dtype_name(tensor.dtype()));
  }
}

Tensor sum_of_squares(const Context& context, const Tensor& tensor) {
  // No square of an f32 is too large for f64.
  Tensor sum = context.empty({1}, DType::kF64);
  context.run(&Kernels::sums_of_squares, std::span(&tensor, 1), sum);
  return sum;
}

bool all_finite(const Context& context, const Tensor& tensor) {
  if (tensor.device() == nullptr) return all_finite(tensor);
  return std::isfinite(*context.download(sum_of_squares(context, tensor)).data<double>());
}

}  // namespace ata
