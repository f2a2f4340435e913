#ifndef ATA_CUDA_KERNELS_LINEAR_END_H_
#define ATA_CUDA_KERNELS_LINEAR_END_H_

#include "backend/kernels.h"

namespace ata::cuda {

/// y = activation(x + bias), which may be kNone: what follows a product, in one pass. x f32 or bf16
/// and y bf16 `[m, n]`; y may be x. `bias` f32 `[n]`, or empty.
void add_bias_and_activate(Stream& stream, const Tensor& x, const Tensor& bias,
                           Activation activation, Tensor& y);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_LINEAR_END_H_
