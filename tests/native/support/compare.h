#ifndef ATA_TESTS_SUPPORT_COMPARE_H_
#define ATA_TESTS_SUPPORT_COMPARE_H_

#include <vector>

#include "tensor/tensor.h"

// Tensors beside what they should be. They may be the host's or the test device's.
namespace ata {

using Doubles = std::vector<double>;
/// The elements of an f32 or bf16 tensor.
Doubles doubles(const Tensor& tensor);

/// |a - b| / |b| in Euclidean norms, or |a| when b is zero; infinite when the counts differ or a is
/// not finite.
double relative_error(const Doubles& a, const Doubles& b);
double relative_error(const Tensor& a, const Tensor& b);

/// Of two elements of f32 tensors of one shape.
double largest_difference(const Tensor& a, const Tensor& b);

/// Type, shape and every bit of the elements.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_COMPARE_H_
