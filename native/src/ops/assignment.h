#ifndef ATA_OPS_ASSIGNMENT_H_
#define ATA_OPS_ASSIGNMENT_H_

#include "assignment/assignment.h"
#include "ops/context.h"

namespace ata {

struct Assignments {
  /// i32 `[B, N]`: the column of each row; -1 for rows that stay unmatched (N > M).
  Tensor matching;
  /// f64 `[B]`: the sum of the matched values.
  Tensor totals;
};

/// Solves a batch of dense linear assignment problems, f32 `[B, N, M]`, as solve_assignments()
/// (assignment/assignment.h) does, with its errors. Not recorded.
Assignments assign(const Context& context, const Tensor& values, const AssignmentOptions& options);

/// Throws ATA_INVALID_ARGUMENT when extents are not 1 to kMaxAssignmentExtent.
void check_assignment_extents(int64_t rows, int64_t columns);
/// Throws ATA_INVALID_ARGUMENT when `values` are no batch of problems, or no square ones although
/// they come `with_duals`.
void check_assignment(const Tensor& values, bool with_duals);

}  // namespace ata

#endif  // ATA_OPS_ASSIGNMENT_H_
