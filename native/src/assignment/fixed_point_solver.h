#ifndef ATA_ASSIGNMENT_FIXED_POINT_SOLVER_H_
#define ATA_ASSIGNMENT_FIXED_POINT_SOLVER_H_

#include <cstdint>

#include "tensor/aligned_buffer.h"

namespace ata {

/// Memory of the fixed-point solver; grows to the largest problem seen and never shrinks.
class FixedPointWorkspace {
 public:
  /// Makes room for a problem of these extents, `columns` at least `rows`.
  void reserve(int rows, int columns);
  /// The same when the solver has chosen how far apart rows are.
  void reserve(int rows, int columns, int stride);

  AlignedBuffer<int32_t> costs;           // [rows][stride]
  AlignedBuffer<int32_t> column_dual;     // [stride]
  AlignedBuffer<int32_t> distance;        // [stride]
  AlignedBuffer<int32_t> row_dual;        // [stride]: dual of the row matched to a column
  AlignedBuffer<int32_t> row_begin;       // [stride]: where the costs of that row begin
  AlignedBuffer<int32_t> row_of_column;   // [stride], -1: free
  AlignedBuffer<int32_t> column_of_row;   // [rows], -1: free
  AlignedBuffer<int32_t> free_rows;       // [rows]
  AlignedBuffer<int32_t> scratch;         // [stride]
  AlignedBuffer<int32_t> scanned_column;  // [rows + 1]: history of a search, in order
  AlignedBuffer<int32_t> scanned_key;     // [rows + 1]
  AlignedBuffer<int32_t> scanned_dual;    // [rows + 1]
  AlignedBuffer<int32_t> scanned_begin;   // [rows + 1 and a vector]
  AlignedBuffer<int32_t> scanned_offset;  // [rows + 1 and a vector]
};

/// A matrix and how its values become integer costs: cost = round(value * scale + offset).
struct FixedPointProblem {
  const float* values = nullptr;  // row-major [rows][columns]
  int rows = 0;
  int columns = 0;  // at least `rows`
  float scale = 1;
  float offset = 0;
  /// Column duals to start from, in units of the cost, at most 0 and at least minus half the cost
  /// limit; null for a cold start. Square problems only.
  const int32_t* initial_duals = nullptr;
  /// Values of the problem of the same extents that comes next, to be fetched into the cache
  /// meanwhile; null when there is none.
  const float* next_values = nullptr;
};

/// Largest integer cost for a problem of that many columns; one less than a power of two.
int32_t fixed_point_cost_limit(int columns);

/// By how much an integer cost may differ from value * scale + offset, where the offset is what was
/// added to all alike, in units of the cost. `product` is the greatest magnitude of value * scale.
double fixed_point_rounding(int columns, double product);

/// Finds a matching of all rows that minimises the sum of the integer costs.
///
/// Shortest augmenting paths after Jonker and Volgenant ("A shortest augmenting path algorithm for
/// dense and sparse linear assignment problems", Computing 38, 1987): column reduction, reduction
/// transfer and, when many rows stay free, a bounded number of augmenting row reductions; then one
/// Dijkstra search per free row. Exact for the integer costs, and finite on ties: integers
/// leave no room for the ever smaller steps that make floating-point solvers stall.
///
/// On return `workspace.column_of_row` holds the matching and `workspace.column_dual` optimal
/// column duals in units of the cost.
/// @return False, with nothing solved, when a cost is not between 0 and fixed_point_cost_limit() or
///   a value is NaN.
bool solve_fixed_point(const FixedPointProblem& problem, FixedPointWorkspace& workspace);

/// Whether each of two problems was solved; as solve_fixed_point().
struct FixedPointPairResult {
  bool first = false;
  bool second = false;
};

/// Solves two problems of the same number of columns in turns: the processor works on one while the
/// other waits for its memory. The results are those of solve_fixed_point().
FixedPointPairResult solve_fixed_point_pair(const FixedPointProblem& first,
                                            FixedPointWorkspace& first_memory,
                                            const FixedPointProblem& second,
                                            FixedPointWorkspace& second_memory);

/// Whether two problems of that many columns are solved faster in turns than one after another.
bool fixed_point_pairs_gain(int columns);

}  // namespace ata

#endif  // ATA_ASSIGNMENT_FIXED_POINT_SOLVER_H_
