#ifndef ATA_CUDA_BLAS_H_
#define ATA_CUDA_BLAS_H_

#include "backend/device.h"
#include "tensor/tensor.h"

namespace ata::cuda {

/// op(data): a row-major matrix, read as its transpose when `transposed`.
struct MatrixView {
  const Tensor& data;
  bool transposed = false;
};

/// Many products at once: matrix i of each begins `i` strides after the first, in elements. The
/// tensors are matrix 0.
struct Batch {
  int64_t count = 1;
  int64_t a_stride = 0;
  int64_t b_stride = 0;
  int64_t c_stride = 0;
};

/// c `[m, n]` (+)= op(a) op(b) + bias, by cuBLASLt. a and b are both f32 (then c, too, and sums are
/// those of f32 factors, never of TF32) or both bf16; sums are f32. `bias` `[n]` is of c's type, or
/// empty. `accumulate`: `+=`.
void multiply(Stream& stream, const MatrixView& a, const MatrixView& b, const Tensor& bias,
              bool accumulate, Tensor& c, const Batch& batch = {});

}  // namespace ata::cuda

#endif  // ATA_CUDA_BLAS_H_
