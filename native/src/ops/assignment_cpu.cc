#include <algorithm>
#include <vector>

#include "assignment/assignment.h"
#include "base/threads.h"
#include "ops/cpu.h"

namespace ata::cpu {
namespace {

class CpuAssignmentScratch : public AssignmentScratch {
 public:
  std::vector<AssignmentWorkspace> workspaces;
};

// Makes room for every worker, now: which of them gets a problem is a matter of timing.
void reserve(std::vector<AssignmentWorkspace>& workspaces, int64_t count, int rows, int columns) {
  const int64_t workers = std::min<int64_t>(thread_count(), count);
  const auto needed = static_cast<size_t>(assignment_workspaces(workers, rows, columns));
  workspaces.resize(std::max(workspaces.size(), needed));
  for (size_t k = 0; k < needed; ++k) workspaces[k].reserve(rows, columns);
}

}  // namespace

void assign(Stream&, const Tensor& values, const AssignmentOptions& options,
            std::shared_ptr<AssignmentScratch>* scratch, Tensor& column_duals, Tensor& matching,
            Tensor& totals) {
  const int64_t count = values.dim(0);
  const int rows = static_cast<int>(values.dim(1));
  const int columns = static_cast<int>(values.dim(2));
  std::vector<AssignmentWorkspace> of_this_call;
  std::vector<AssignmentWorkspace>* workspaces = &of_this_call;
  if (scratch != nullptr) {
    if (!*scratch) *scratch = std::make_shared<CpuAssignmentScratch>();
    workspaces = &static_cast<CpuAssignmentScratch&>(**scratch).workspaces;
    reserve(*workspaces, count, rows, columns);
  }
  solve_assignments(values.data<float>(), count, rows, columns, options, *workspaces,
                    matching.data<int32_t>(), totals.data<double>(),
                    column_duals ? column_duals.data<double>() : nullptr);
}

}  // namespace ata::cpu
