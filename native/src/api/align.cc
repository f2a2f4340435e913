#include <vector>

#include "align/alignment.h"
#include "align/assignment.h"
#include "api/boundary.h"

using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::require_enum;
using ata::api::require_pointer;

namespace {

ata::AlignmentOptions alignment_options(const ata_alignment_options* options) {
  const ata_alignment_options given =
      options_or_default(options, ata_alignment_options_init, "ata_alignment_options");
  require_enum(given.method, ATA_ALIGNMENT_SOFT, "ata_alignment_options.method");
  ata::AlignmentOptions result;
  result.method = static_cast<ata::AlignmentMethod>(given.method);
  result.window_radius = given.window_radius;
  result.temperature = given.temperature;
  result.iterations = given.iterations;
  result.grid_height = given.grid_height;
  result.grid_width = given.grid_width;
  return result;
}

}  // namespace

ata_status ata_alignment_options_init(ata_alignment_options* options) noexcept {
  const ata::AlignmentOptions defaults;
  return init_options(
      options,
      ata_alignment_options{0, static_cast<ata_alignment>(defaults.method), defaults.window_radius,
                            defaults.temperature, defaults.iterations, defaults.grid_height,
                            defaults.grid_width},
      "ata_alignment_options");
}

ata_status ata_align(const ata_tensor* features, const ata_alignment_options* options,
                     ata_tensor** trajectories, ata_tensor** similarities) noexcept {
  return guard([&] {
    require_pointer(features, "features");
    require_pointer(trajectories, "trajectories");
    ata::AlignmentWorkspace workspace;
    ata::Alignment result = ata::align(features->tensor, alignment_options(options), workspace,
                                       similarities != nullptr);
    auto first = make_handle(std::move(result.trajectories));
    if (similarities) *similarities = make_handle(std::move(result.similarities)).release();
    *trajectories = first.release();
  });
}

ata_status ata_assign_options_init(ata_assign_options* options) noexcept {
  return init_options(options, ata_assign_options{0, 1, 0, 0}, "ata_assign_options");
}

ata_status ata_assign(const ata_tensor* values, const ata_assign_options* options,
                      ata_tensor** matching, double* totals, size_t totals_capacity) noexcept {
  return guard([&] {
    require_pointer(values, "values");
    require_pointer(matching, "matching");
    const ata_assign_options checked =
        options_or_default(options, ata_assign_options_init, "ata_assign_options");
    const ata::Tensor& matrix = values->tensor;
    ata::require(matrix.dtype() == ata::DType::kF32 && (matrix.rank() == 2 || matrix.rank() == 3),
                 "values is ", ata::dtype_name(matrix.dtype()), " ", matrix.shape().to_string(),
                 ", not f32 [B, N, M] or [N, M]");
    const int64_t rows = matrix.dim(-2);
    const int64_t columns = matrix.dim(-1);
    const int64_t count = matrix.rank() == 3 ? matrix.dim(0) : 1;
    ata::require(rows >= 1 && columns >= 1 && rows <= ata::kMaxAssignmentExtent &&
                     columns <= ata::kMaxAssignmentExtent,
                 "values holds problems of ", rows, " x ", columns, "; extents are 1 to ",
                 int{ata::kMaxAssignmentExtent});
    ata::require(totals == nullptr || totals_capacity >= static_cast<size_t>(count),
                 "totals has room for ", totals_capacity, " sums; ", count, " are needed");
    const ata::Shape shape = matrix.rank() == 3 ? ata::Shape({count, rows}) : ata::Shape({rows});
    auto result = make_handle(ata::Tensor(shape, ata::DType::kI32));
    std::vector<double> sums(static_cast<size_t>(count));
    std::vector<ata::AssignmentWorkspace> workspaces;
    ata::AssignmentOptions solver;
    solver.maximize = checked.maximize != 0;
    solver.polish = checked.polish != 0;
    solver.certify = checked.certify != 0;
    ata::solve_assignments(matrix.data<float>(), count, static_cast<int>(rows),
                           static_cast<int>(columns), solver, workspaces,
                           result->tensor.data<int32_t>(), sums.data());
    if (totals) std::copy(sums.begin(), sums.end(), totals);
    *matching = result.release();
  });
}
