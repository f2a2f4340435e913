#ifndef ATA_ASSIGNMENT_FLOAT64_SOLVER_H_
#define ATA_ASSIGNMENT_FLOAT64_SOLVER_H_

#include <cstdint>

#include "tensor/aligned_buffer.h"

namespace ata {

/// State and memory of the float64 solver. Costs are `sign * value`, minimised.
class Float64Workspace {
 public:
  void reserve(int rows, int columns);

  AlignedBuffer<double> column_dual;     // [columns]
  AlignedBuffer<double> row_dual;        // [rows]
  AlignedBuffer<int32_t> column_of_row;  // [rows], -1: free
  AlignedBuffer<int32_t> row_of_column;  // [columns], -1: free
  AlignedBuffer<double> distance;        // [columns]
  AlignedBuffer<int64_t> predecessor;    // [columns]
  AlignedBuffer<int32_t> scanned;        // [rows + 1]
  AlignedBuffer<double> scanned_distance;
  AlignedBuffer<double> scanned_dual;
};

/// A matrix whose `sign * value` is a cost; a cost of +infinity forbids the pair. No value is NaN
/// and no cost is -infinity.
struct Float64Problem {
  const float* values = nullptr;  // row-major [rows][columns]
  int rows = 0;
  int columns = 0;  // at least `rows`
  float sign = 1;
};

/// Finds a complete matching of least total cost in float64 arithmetic, by shortest augmenting
/// paths from nothing. Returns false when every complete matching uses a forbidden pair.
bool solve_float64(const Float64Problem& problem, Float64Workspace& workspace);

/// As solve_float64(), but starts from `workspace.column_dual`, rounded to multiples of `quantum`
/// (0: as they are), and the complete matching in `workspace.column_of_row`: pairs that are not the
/// best of their row at these duals are dissolved and found anew. Square problems only: in others a
/// column may not be left with a dual below 0.
bool refine_float64(const Float64Problem& problem, double quantum, Float64Workspace& workspace);

/// A power of two. When all costs that are finite are multiples of it, no number in solve_float64()
/// or refine_float64() (which gets it as its quantum) is rounded, and their matching is optimal for
/// the exact values. 0 when all numbers are 0.
/// @param greatest The greatest magnitude of a finite cost, or more.
/// @param greatest_dual That of a dual to begin with.
double exact_quantum(const Float64Problem& problem, double greatest, double greatest_dual,
                     bool has_forbidden_pairs);

/// How far the matching in `workspace.column_of_row` may be from the optimum, by the duals in
/// `workspace.column_dual`, whatever these are: the sum over rows of reduced cost of the row's pair
/// less the least reduced cost in the row. No matching is better by more: rounding errors of this
/// computation are bounded and included. Leaves the least reduced costs in `workspace.row_dual`.
double dual_gap(const Float64Problem& problem, Float64Workspace& workspace);

/// Words of 64 bits that a row of mark_candidates() takes.
int candidate_words(int columns);

/// Sets the bits of the pairs that can be in a matching as good as the one in
/// `workspace.column_of_row`, `[rows][candidate_words(columns)]`: those whose reduced cost is not
/// greater than the least of their row by more than `gap`. For a workspace as dual_gap() left it,
/// and what that returned.
void mark_candidates(const Float64Problem& problem, double gap, const Float64Workspace& workspace,
                     uint64_t* candidates);

}  // namespace ata

#endif  // ATA_ASSIGNMENT_FLOAT64_SOLVER_H_
