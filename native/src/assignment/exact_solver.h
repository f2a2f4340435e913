#ifndef ATA_ASSIGNMENT_EXACT_SOLVER_H_
#define ATA_ASSIGNMENT_EXACT_SOLVER_H_

#include <cstdint>

#include "assignment/float64_solver.h"
#include "assignment/wide_integer.h"
#include "tensor/aligned_buffer.h"

namespace ata {

/// Bits of the numbers that the exact solver computes with: it takes the fewest that do.
template <int kLimbs>
struct ExactNumbers {
  AlignedBuffer<WideInteger<kLimbs>> column_dual;  // [columns]
  AlignedBuffer<WideInteger<kLimbs>> row_dual;     // [rows]
  AlignedBuffer<WideInteger<kLimbs>> distance;     // [columns]
};

/// Memory of the exact solver; grows to the largest problem seen.
class ExactWorkspace {
 public:
  void reserve(int rows, int columns);

  AlignedBuffer<uint64_t> candidates;  // [rows][candidate_words(columns)]
  ExactNumbers<2> two;
  ExactNumbers<3> three;
  ExactNumbers<5> five;
  AlignedBuffer<int32_t> open;   // [columns]: reached by the search, and not final
  AlignedBuffer<uint8_t> state;  // [columns]: of the search
};

/// Finds a complete matching that is optimal for the exact float32 values, with integers wide
/// enough for any of them. `solution` comes in as float64 arithmetic left it: a complete matching,
/// column duals, and in `row_dual` what dual_gap() wrote, which returned `gap`; the better those
/// are the less is left to do, as only pairs that they do not rule out are looked at. It leaves
/// holding the optimal matching and its column duals, rounded.
void solve_exactly(const Float64Problem& problem, double gap, Float64Workspace& solution,
                   ExactWorkspace& workspace);

/// The sum of the values matched, rounded once. Each row has a column.
double exact_sum(const Float64Problem& problem, const int32_t* column_of_row);

}  // namespace ata

#endif  // ATA_ASSIGNMENT_EXACT_SOLVER_H_
