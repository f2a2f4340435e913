#include "assignment/assignment.h"

#include <algorithm>
#include <vector>

#include "cuda/entries.h"
#include "cuda/kernels/assignment_problems.h"
#include "cuda/kernels/trajectories.h"

namespace ata::cuda {
namespace {

// Transposed problems of this many bytes are held at once.
constexpr int64_t kGroupBytes = int64_t{256} << 20;

class CudaAssignmentScratch : public AssignmentScratch {
 public:
  // Of each problem, and of each of a group.
  Tensor ranges;
  Tensor unfinished;
  Tensor column_duals;
  Tensor transposed;
  Tensor matching;
  AssignmentWorkspace workspace;
};

// Memory for that many elements, kept in `buffer`.
template <class T>
T* reserve(const Stream& stream, Tensor& buffer, int64_t count) {
  if (!buffer || buffer.count() < count) {
    buffer = Tensor({count}, dtype_of<T>(), stream.allocator);
  }
  return elements<T>(buffer);
}

// A call of assign().
struct Call {
  Stream& stream;
  const Tensor& values;
  const AssignmentOptions& options;
  CudaAssignmentScratch& scratch;
  Tensor& column_duals;
  Tensor& matching;
  Tensor& totals;
};

// Solves problems [begin, end) as far as the device can.
void solve_on_device(const Call& call, int64_t begin, int64_t end) {
  const int64_t count = end - begin, rows = call.values.dim(1), columns = call.values.dim(2);
  const bool is_transposed = rows > columns;
  Stream& stream = call.stream;
  CudaAssignmentScratch& scratch = call.scratch;
  const int64_t smaller = std::min(rows, columns), greater = std::max(rows, columns);
  const Tensor values = call.values.slice(begin, end);
  Problems problems = {};
  problems.count = count;
  problems.rows = static_cast<int>(smaller);
  problems.columns = static_cast<int>(greater);
  problems.stride = greater;
  problems.maximize = call.options.maximize;
  problems.polish = call.options.polish;
  problems.certify = call.options.certify;
  problems.warm = call.column_duals.defined();
  problems.ranges = reinterpret_cast<ValueRange*>(
      reserve<uint8_t>(stream, scratch.ranges, count * static_cast<int64_t>(sizeof(ValueRange))));
  problems.unfinished = reserve<int32_t>(stream, scratch.unfinished, call.values.dim(0)) + begin;
  problems.column_duals = call.column_duals
                              ? elements<double>(call.column_duals) + begin * columns
                              : reserve<double>(stream, scratch.column_duals, count * greater);
  problems.totals = elements<double>(call.totals) + begin;
  int32_t* matching = elements<int32_t>(call.matching) + begin * rows;
  if (!is_transposed) {
    problems.values = elements<float>(values);
    problems.matching = matching;
    solve(stream, problems);
    return;
  }
  reserve<float>(stream, scratch.transposed, values.count());
  Tensor transposed = scratch.transposed.slice(0, values.count()).reshape({count, columns, rows});
  transpose(stream, values, transposed);
  problems.values = elements<float>(transposed);
  problems.matching = reserve<int32_t>(stream, scratch.matching, count * columns);
  solve(stream, problems);
  invert_matchings(stream, problems.matching, problems.unfinished, count, columns, rows, matching);
}

// Solves a problem by the CPU's solver, or throws what is wrong with it.
void solve_on_host(const Call& call, int64_t problem, AssignmentWorkspace& workspace) {
  const Tensor& values = call.values;
  const int64_t rows = values.dim(1), columns = values.dim(2);
  Device& device = call.stream.device;
  std::vector<CopyOut> copies;
  const auto copy = [&](const Tensor& from) {
    Tensor host(from.shape(), from.dtype());
    copies.push_back({host.raw(), from.address(), from.bytes()});
    return host;
  };
  const Tensor matrix = copy(values.slice(problem, problem + 1));
  Tensor duals;
  if (call.column_duals) duals = copy(call.column_duals.slice(problem, problem + 1));
  device.copy_out(copies, call.stream);
  Tensor matching({rows}, DType::kI32);
  const double total = solve_assignment(
      matrix.data<float>(), static_cast<int>(rows), static_cast<int>(columns), call.options,
      workspace, matching.data<int32_t>(), duals ? duals.data<double>() : nullptr, problem);
  const auto write = [&](Tensor& to, const void* from) {
    Tensor part = to.slice(problem, problem + 1);
    device.copy_in(part.address(), from, part.bytes(), call.stream);
  };
  write(call.matching, matching.raw());
  write(call.totals, &total);
  if (duals) write(call.column_duals, duals.raw());
}

}  // namespace

void assign(Stream& stream, const Tensor& values, const AssignmentOptions& options,
            std::shared_ptr<AssignmentScratch>* scratch, Tensor& column_duals, Tensor& matching,
            Tensor& totals) {
  const int64_t count = values.dim(0);
  if (count == 0) return;
  CudaAssignmentScratch of_this_call;
  CudaAssignmentScratch* kept = &of_this_call;
  if (scratch != nullptr) {
    if (!*scratch) *scratch = std::make_shared<CudaAssignmentScratch>();
    kept = static_cast<CudaAssignmentScratch*>(scratch->get());
  }
  const Call call = {stream, values, options, *kept, column_duals, matching, totals};
  const int64_t bytes = values.dim(1) * values.dim(2) * int64_t{sizeof(float)};
  const int64_t group =
      values.dim(1) > values.dim(2) ? std::max<int64_t>(1, kGroupBytes / bytes) : count;
  for (int64_t begin = 0; begin < count; begin += group) {
    solve_on_device(call, begin, std::min(begin + group, count));
  }
  std::vector<int32_t> unfinished(static_cast<size_t>(count));
  const CopyOut copy = {unfinished.data(), kept->unfinished.address(),
                        unfinished.size() * sizeof(int32_t)};
  stream.device.copy_out(std::span(&copy, 1), stream);
  // Few, or wrong: what remains are problems that need more than float64 and those with an error.
  for (int64_t problem = 0; problem < count; ++problem) {
    if (unfinished[static_cast<size_t>(problem)] == 0) continue;
    solve_on_host(call, problem, kept->workspace);
  }
}

}  // namespace ata::cuda
