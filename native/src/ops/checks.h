#ifndef ATA_OPS_CHECKS_H_
#define ATA_OPS_CHECKS_H_

#include "ops/context.h"

namespace ata {

/// Throws ATA_INVALID_ARGUMENT unless `tensor` is a defined f32 tensor of `shape`.
void check_f32(const char* op, const char* name, const Tensor& tensor, const Shape& shape);

/// Throws ATA_INVALID_ARGUMENT unless `tensor` is a matrix of f32 (or bf16, when `allow_bf16`).
void check_matrix(const char* op, const char* name, const Tensor& tensor, bool allow_bf16);

/// Throws ATA_INVALID_ARGUMENT unless `dtype` is f32 or bf16.
void check_float(const char* op, const char* name, DType dtype);

/// Queues the sum of the squares of an f32 tensor of the context's device: f64 `[1]`, finite where
/// no element is a NaN or an infinity.
Tensor sum_of_squares(const Context& context, const Tensor& tensor);

/// Whether no element of an f32 tensor, of the host or of the context's device, is a NaN or an
/// infinity; waits for the device.
bool all_finite(const Context& context, const Tensor& tensor);

}  // namespace ata

#endif  // ATA_OPS_CHECKS_H_
