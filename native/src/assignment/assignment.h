#ifndef ATA_ASSIGNMENT_ASSIGNMENT_H_
#define ATA_ASSIGNMENT_ASSIGNMENT_H_

#include <cstdint>
#include <vector>

#include "assignment/exact_solver.h"
#include "assignment/fixed_point_solver.h"
#include "assignment/float64_solver.h"

namespace ata {

/// Greatest extent of an assignment problem.
constexpr int kMaxAssignmentExtent = 4096;

struct AssignmentOptions {
  /// Maximise the sum of the values (similarities), or minimise it (costs).
  bool maximize = true;
  /// Make the matching optimal for the exact float32 values. Without, its total is within
  /// kTolerance of the optimum, relative to the sum of the absolute values that it matches. Where
  /// these, in order of size, leap by kLeap or more at once, those above the first leap do not
  /// count: a pair that had to be matched in spite of a huge cost takes nothing from the accuracy
  /// of the others. (And of 0 and others, only 0 counts.)
  bool polish = false;
  /// Prove each result by its dual gap, and solve again where that fails: within kTolerance of the
  /// optimum relative to the total, too.
  bool certify = false;

  static constexpr double kTolerance = 1e-6;
  static constexpr double kLeap = 1000;
};

/// Memory of one solver; grows to the largest problem seen. One thread at a time.
struct AssignmentWorkspace {
  /// Makes room for every problem that is not greater in either extent, whatever its values: to
  /// solve one then allocates nothing.
  void reserve(int rows, int columns);

  FixedPointWorkspace fixed_point;
  Float64Workspace float64;
  ExactWorkspace exact;
  AlignedBuffer<float> transposed;
  AlignedBuffer<float> normalized;
  AlignedBuffer<int32_t> initial_duals;
};

/// Solves one dense linear assignment problem: matches every row of the smaller side so that the
/// sum of the matched values is greatest (or least), up to what AssignmentOptions say. That holds
/// for all finite values, few of which may be far greater than the others ("not this pair"), and
/// for every floating-point mode of the calling thread: the default one is set meanwhile.
///
/// @param values Row-major `[rows][columns]`, extents 1 to kMaxAssignmentExtent. -infinity when
///   maximising, +infinity when minimising, forbids a pair.
/// @param matching Receives `rows` columns; -1 for unmatched rows (rows > columns).
/// @param column_duals `columns` prices in units of the values, or null. Square problems only. What
///   comes in is where the search starts: the prices of a similar problem, or zeros; any finite
///   prices lead to an optimal matching. What goes out are optimal prices: in each row, value minus
///   price is greatest (least, when minimising) at the matched column.
/// @return The sum of the matched values, to 1e-12 of itself.
///
/// Throws ATA_INVALID_ARGUMENT on NaN or the opposite infinity and on prices that are not finite,
/// ATA_INFEASIBLE when no complete matching avoids the forbidden pairs; `problem` is the number
/// that the message names.
double solve_assignment(const float* values, int rows, int columns,
                        const AssignmentOptions& options, AssignmentWorkspace& workspace,
                        int32_t* matching, double* column_duals = nullptr, int64_t problem = 0);

/// How many workspaces solve_assignments() uses with so many workers: two for each where small
/// problems are solved in turns.
int64_t assignment_workspaces(int64_t workers, int rows, int columns);

/// Solves `count` problems of equal extents, in parallel over the problems. `workspaces` grows to
/// assignment_workspaces(); keep it between calls to avoid allocation.
/// @param matching Receives `[count][rows]`.
/// @param totals Receives `count` sums, or null.
/// @param column_duals `[count][columns]` prices in and out, or null; see solve_assignment().
void solve_assignments(const float* values, int64_t count, int rows, int columns,
                       const AssignmentOptions& options,
                       std::vector<AssignmentWorkspace>& workspaces, int32_t* matching,
                       double* totals, double* column_duals = nullptr);

}  // namespace ata

#endif  // ATA_ASSIGNMENT_ASSIGNMENT_H_
