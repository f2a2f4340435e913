#include "ops/assignment.h"

namespace ata {

Assignments assign(const Context& context, const Tensor& values, const AssignmentOptions& options) {
  check_assignment(values, false);
  Assignments result = {context.empty({values.dim(0), values.dim(1)}, DType::kI32),
                        context.empty({values.dim(0)}, DType::kF64)};
  Tensor no_duals;
  context.run(&Kernels::assign, values, options, nullptr, no_duals, result.matching, result.totals);
  return result;
}

void check_assignment_extents(int64_t rows, int64_t columns) {
  require(
      rows >= 1 && columns >= 1 && rows <= kMaxAssignmentExtent && columns <= kMaxAssignmentExtent,
      "values holds problems of ", rows, " x ", columns, "; extents are 1 to ",
      int{kMaxAssignmentExtent});
}

void check_assignment(const Tensor& values, bool with_duals) {
  // Texts are made only when needed: Assigner promises not to allocate.
  if (values.dtype() != DType::kF32 || values.rank() != 3) {
    fail(ATA_INVALID_ARGUMENT, "values is ", dtype_name(values.dtype()), " ",
         values.shape().to_string(), ", not f32 [B, N, M]");
  }
  check_assignment_extents(values.dim(1), values.dim(2));
  require(!with_duals || values.dim(1) == values.dim(2),
          "column_duals need square problems, and these are ", values.dim(1), " x ", values.dim(2),
          "; pass none");
}

}  // namespace ata
