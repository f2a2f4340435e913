#ifndef ATA_TESTS_OPS_OP_CHECK_H_
#define ATA_TESTS_OPS_OP_CHECK_H_

#include <functional>
#include <vector>

#include "base/random.h"
#include "ops/context.h"
#include "support/compare.h"
#include "support/devices.h"
#include "support/errors.h"

namespace ata::testing {

/// f32 or bf16 normal values, the same for the same seed. These tensors are in the test device's
/// memory, as results are; on_host() and doubles() read them.
Tensor random_tensor(Shape shape, uint64_t seed, DType dtype = DType::kF32);
Tensor tensor_of(Shape shape, const std::vector<float>& values);
Tensor indices_of(Shape shape, const std::vector<int32_t>& values);

/// A tensor whose elements are those of an f32 tensor, each changed by `change`.
Tensor mapped(const Tensor& tensor, const std::function<float(float)>& change);

/// An operation and the same function in double precision, written naively.
struct OpCase {
  std::vector<Tensor> inputs;
  std::function<Variable(const Context&, const std::vector<Variable>&)> op;
  std::function<Doubles(const std::vector<Doubles>&)> oracle;
};

/// Compares the operation's result with the oracle's, with and without a tape, and the gradient of
/// a random linear function of it, for every element of every input, with central differences of
/// the oracle.
void check_op(const OpCase& op_case, Tolerance tolerance);

/// The same for inputs too large for that: gradients are compared along a few random directions.
void check_op_along_directions(const OpCase& op_case, Tolerance tolerance);

/// The gradients of the sum of weights * result with respect to each input.
std::vector<Tensor> gradients(const OpCase& op_case, const Tensor& weights);

}  // namespace ata::testing

#endif  // ATA_TESTS_OPS_OP_CHECK_H_
