#ifndef ATA_CUDA_KERNELS_ASSIGNMENT_PROBLEMS_H_
#define ATA_CUDA_KERNELS_ASSIGNMENT_PROBLEMS_H_

#include <cstdint>

#include "cuda/launch.h"

namespace ata::cuda {

/// What a look at all values of a problem told.
struct ValueRange {
  /// Of the finite values; 0 when there are none.
  float low;
  float high;
  /// Whether a pair is forbidden; whether there is a value, or a dual, that no problem may have.
  int forbidden;
  int invalid;
};

/// Dense assignment problems on the device, with at least as many columns as rows; what they mean
/// is said in assignment/assignment.h.
struct Problems {
  /// f32 `[count, rows, columns]`, rows `stride` and problems `rows * stride` apart.
  const float* values;
  int64_t count;
  int rows;
  int columns;
  int64_t stride;
  bool maximize;
  bool polish;
  bool certify;
  /// Whether searches start from the prices in `column_duals`: square problems only.
  bool warm;
  /// `[count]`: memory for the solver.
  ValueRange* ranges;
  /// i32 `[count, rows]`.
  int32_t* matching;
  /// f64 `[count, columns]`, prices as in solve_assignment(), out (and in, if `warm`).
  double* column_duals;
  /// f64 `[count]`, or null.
  double* totals;
  /// `[count]`, or null: receives 1 for problems that the host has to solve or to refuse, else 0.
  /// Where it is null, such problems keep the best that float64 arithmetic finds.
  int32_t* unfinished;

  __device__ const float* problem(int64_t index) const { return values + index * rows * stride; }
};

/// Solves them; see native/src/assignment/README.md for how. A result does not depend on how many
/// there are.
void solve(const Stream& stream, const Problems& problems);

/// The stages of solve(): the ranges; integer solutions of problems without forbidden pairs; and
/// float64 ones where that is asked for or needed, with totals.
void find_ranges(const Stream& stream, const Problems& problems);
void solve_in_integers(const Stream& stream, const Problems& problems);
void conclude_in_float64(const Stream& stream, const Problems& problems);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ASSIGNMENT_PROBLEMS_H_
