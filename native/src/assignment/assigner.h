#ifndef ATA_ASSIGNMENT_ASSIGNER_H_
#define ATA_ASSIGNMENT_ASSIGNER_H_

#include <cstdint>
#include <vector>

#include "assignment/assignment.h"

namespace ata {

/// Solves batches of assignment problems again and again. It keeps the memory: a batch allocates
/// nothing when one of as many problems, none smaller in either extent, was solved before with as
/// many threads. One thread at a time; parallel over the problems inside.
class Assigner {
 public:
  explicit Assigner(const AssignmentOptions& options) : options_(options) {}

  /// As solve_assignments(), but all or nothing: when a problem fails nothing is written.
  void solve(const float* values, int64_t count, int rows, int columns, int32_t* matching,
             double* totals, double* column_duals);

 private:
  const AssignmentOptions options_;
  std::vector<AssignmentWorkspace> workspaces_;
  // Results wait here for those of the other problems.
  AlignedBuffer<int32_t> matching_;
  AlignedBuffer<double> totals_;
  AlignedBuffer<double> column_duals_;
};

}  // namespace ata

#endif  // ATA_ASSIGNMENT_ASSIGNER_H_
