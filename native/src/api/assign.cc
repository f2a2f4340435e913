// Assignment problems on their own.

#include <algorithm>

#include "api/boundary.h"
#include "base/threads.h"
#include "ops/assigner.h"
#include "ops/assignment.h"

using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::require_pointer;

struct ata_assigner {
  ata::Assigner assigner;
  /// For ThreadLimit.
  int threads = 0;
};

namespace {

constexpr ata_assign_options kDefaults = {sizeof(ata_assign_options), 1, 0, 0, nullptr, 0};

struct GivenAssignment {
  ata::AssignmentOptions options;
  ata::Device& device;
  /// For ThreadLimit.
  int threads;
};

GivenAssignment assignment_options(const ata_assign_options* options) {
  const ata_assign_options given = options_or_default(options, kDefaults, "ata_assign_options");
  return {.options = {.maximize = given.maximize != 0,
                      .polish = given.polish != 0,
                      .certify = given.certify != 0},
          .device = ata::api::device_named(given.device),
          .threads = ata::api::thread_limit(given.threads, "ata_assign_options.threads")};
}

void require_room(const char* name, const char* what, size_t capacity, size_t needed) {
  ata::require(capacity >= needed, name, " has room for ", capacity, " ", what, "; ", needed,
               " are needed");
}

}  // namespace

ata_status ata_assign_options_init(ata_assign_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, kDefaults, "ata_assign_options");
}

ata_status ata_assign(const ata_tensor* values, const ata_assign_options* options,
                      ata_tensor** matching, double* totals, size_t totals_capacity) noexcept {
  return guard([&] {
    require_pointer(values, "values");
    require_pointer(matching, "matching");
    const GivenAssignment given = assignment_options(options);
    const ata::Tensor& matrix = ata::api::tensor_for(given.device, values, "values");
    ata::require(matrix.dtype() == ata::DType::kF32 && (matrix.rank() == 2 || matrix.rank() == 3),
                 "values is ", ata::dtype_name(matrix.dtype()), " ", matrix.shape().to_string(),
                 ", not f32 [B, N, M] or [N, M]");
    const bool is_batch = matrix.rank() == 3;
    const ata::Tensor problems =
        is_batch ? matrix : matrix.reshape({1, matrix.dim(0), matrix.dim(1)});
    ata::check_assignment(problems, false);
    const auto count = static_cast<size_t>(problems.dim(0));
    if (totals != nullptr) require_room("totals", "sums", totals_capacity, count);
    const ata::ThreadLimit limit(given.threads);
    const ata::Context context = ata::make_context(given.device);
    const ata::Assignments solved = ata::assign(context, context.upload(problems), given.options);
    const ata::Tensor columns = context.download(solved.matching, /*may_share=*/true);
    auto result = make_handle(is_batch ? columns : columns.reshape({matrix.dim(0)}));
    if (totals != nullptr) {
      const ata::Tensor sums = context.download(solved.totals, /*may_share=*/true);
      std::copy_n(sums.data<double>(), count, totals);
    }
    *matching = result.release();
  });
}

ata_status ata_assigner_create(const ata_assign_options* options,
                               ata_assigner** assigner) noexcept {
  return guard([&] {
    require_pointer(assigner, "assigner");
    const GivenAssignment given = assignment_options(options);
    *assigner = new ata_assigner{{given.device, given.options}, given.threads};
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
    ata::check_assignment_extents(rows, columns);
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
      require_room("column_duals", "prices", duals_capacity,
                   problems * static_cast<size_t>(columns));
    }
    // Read alone.
    const ata::Tensor matrices = ata::Tensor::wrap(
        const_cast<float*>(values), {count, rows, columns}, ata::DType::kF32, nullptr);
    const ata::ThreadLimit limit(assigner->threads);
    assigner->assigner.solve(matrices, matching, totals, column_duals);
  });
}
