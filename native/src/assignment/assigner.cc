#include "assignment/assigner.h"

#include <algorithm>

#include "base/threads.h"

namespace ata {

void Assigner::solve(const float* values, int64_t count, int rows, int columns, int32_t* matching,
                     double* totals, double* column_duals) {
  // Every worker's, now: which of them gets a problem is a matter of timing.
  const int64_t workers = std::min<int64_t>(thread_count(), count);
  const auto needed = static_cast<size_t>(assignment_workspaces(workers, rows, columns));
  workspaces_.resize(std::max(workspaces_.size(), needed));
  for (size_t k = 0; k < needed; ++k) workspaces_[k].reserve(rows, columns);

  const auto problems = static_cast<size_t>(count);
  const size_t row_count = problems * static_cast<size_t>(rows);
  const size_t column_count = problems * static_cast<size_t>(columns);
  matching_.reserve(row_count);
  totals_.reserve(problems);
  column_duals_.reserve(column_count);
  if (column_duals != nullptr) std::copy_n(column_duals, column_count, column_duals_.data());

  solve_assignments(values, count, rows, columns, options_, workspaces_, matching_.data(),
                    totals_.data(), column_duals != nullptr ? column_duals_.data() : nullptr);

  std::copy_n(matching_.data(), row_count, matching);
  if (totals != nullptr) std::copy_n(totals_.data(), problems, totals);
  if (column_duals != nullptr) std::copy_n(column_duals_.data(), column_count, column_duals);
}

}  // namespace ata
