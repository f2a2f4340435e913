// Assignment problems on their own.

#include <algorithm>
#include <vector>

#include "api/boundary.h"
#include "assignment/assigner.h"
#include "assignment/assignment.h"

using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::require_pointer;

struct ata_assigner {
  ata::Assigner assigner;
};

namespace {

ata::AssignmentOptions assignment_options(const ata_assign_options* options) {
  const ata_assign_options given =
      options_or_default(options, ata_assign_options_init, "ata_assign_options");
  return {
      .maximize = given.maximize != 0, .polish = given.polish != 0, .certify = given.certify != 0};
}

void require_extents(int64_t rows, int64_t columns) {
  ata::require(rows >= 1 && columns >= 1 && rows <= ata::kMaxAssignmentExtent &&
                   columns <= ata::kMaxAssignmentExtent,
               "values holds problems of ", rows, " x ", columns, "; extents are 1 to ",
               int{ata::kMaxAssignmentExtent});
}

void require_room(const char* name, const char* what, size_t capacity, size_t needed) {
  ata::require(capacity >= needed, name, " has room for ", capacity, " ", what, "; ", needed,
               " are needed");
}

}  // namespace

ata_status ata_assign_options_init(ata_assign_options* options) noexcept {
  return init_options(options, ata_assign_options{0, 1, 0, 0}, "ata_assign_options");
}

ata_status ata_assign(const ata_tensor* values, const ata_assign_options* options,
                      ata_tensor** matching, double* totals, size_t totals_capacity) noexcept {
  return guard([&] {
    require_pointer(values, "values");
    require_pointer(matching, "matching");
    const ata::AssignmentOptions checked = assignment_options(options);
    const ata::Tensor& matrix = values->tensor;
    ata::require(matrix.dtype() == ata::DType::kF32 && (matrix.rank() == 2 || matrix.rank() == 3),
                 "values is ", ata::dtype_name(matrix.dtype()), " ", matrix.shape().to_string(),
                 ", not f32 [B, N, M] or [N, M]");
    const int64_t rows = matrix.dim(-2);
    const int64_t columns = matrix.dim(-1);
    const int64_t count = matrix.rank() == 3 ? matrix.dim(0) : 1;
    require_extents(rows, columns);
    const auto problems = static_cast<size_t>(count);
    if (totals != nullptr) require_room("totals", "sums", totals_capacity, problems);
    const ata::Shape shape = matrix.rank() == 3 ? ata::Shape({count, rows}) : ata::Shape({rows});
    auto result = make_handle(ata::Tensor(shape, ata::DType::kI32));
    std::vector<double> sums(problems);
    std::vector<ata::AssignmentWorkspace> workspaces;
    ata::solve_assignments(matrix.data<float>(), count, static_cast<int>(rows),
                           static_cast<int>(columns), checked, workspaces,
                           result->tensor.data<int32_t>(), sums.data());
    if (totals != nullptr) std::copy(sums.begin(), sums.end(), totals);
    *matching = result.release();
  });
}

ata_status ata_assigner_create(const ata_assign_options* options,
                               ata_assigner** assigner) noexcept {
  return guard([&] {
    require_pointer(assigner, "assigner");
    *assigner = new ata_assigner{ata::Assigner(assignment_options(options))};
  });
}

void ata_assigner_release(ata_assigner* assigner) noexcept {
  delete assigner;
}

ata_status ata_assigner_solve(ata_assigner* assigner, const float* values, size_t values_length,
                              int64_t count, int64_t rows, int64_t columns, int32_t* matching,
                              size_t matching_capacity, double* totals, size_t totals_capacity,
                              double* column_duals, size_t duals_capacity) noexcept {
  return guard([&] {
    require_pointer(assigner, "assigner");
    require_extents(rows, columns);
    ata::require(count >= 0, "count is ", count, "; it must be at least 0");
    const auto problems = static_cast<size_t>(count);
    const auto size = static_cast<size_t>(rows * columns);
    // Divided, since the product with a hostile count may not fit.
    ata::require(values_length % size == 0 && values_length / size == problems, "values_length is ",
                 values_length, "; ", count, " problems of ", rows, " x ", columns, " have ", count,
                 " x ", size, " values");
    if (count > 0) {
      require_pointer(values, "values");
      require_pointer(matching, "matching");
    }
    require_room("matching", "columns", matching_capacity, problems * static_cast<size_t>(rows));
    if (totals != nullptr) require_room("totals", "sums", totals_capacity, problems);
    if (column_duals != nullptr) {
      ata::require(rows == columns, "column_duals need square problems, and these are ", rows,
                   " x ", columns, "; pass NULL");
      require_room("column_duals", "prices", duals_capacity,
                   problems * static_cast<size_t>(columns));
    }
    assigner->assigner.solve(values, count, static_cast<int>(rows), static_cast<int>(columns),
                             matching, totals, column_duals);
  });
}
