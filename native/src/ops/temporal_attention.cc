#include "ops/temporal_attention.h"

#include "ops/checks.h"

namespace ata {
namespace {

// Empty when every frame is a permutation; else the number of trajectories in each patch.
Tensor count_visits(const Context& context, const char* op, const Tensor& trajectories) {
  Tensor visits = context.empty(trajectories.shape(), DType::kI32);
  switch (context.kernels->count_visits(trajectories, visits)) {
    case Coverage::kPermutation:
      return Tensor();
    case Coverage::kPartial:
      return visits;
    case Coverage::kOutOfRange:
      break;
  }
  fail(ATA_INVALID_ARGUMENT, op, ": trajectories of shape ", trajectories.shape().to_string(),
       " hold an index outside 0..", trajectories.dim(2) - 1);
}

void check_trajectories(const char* op, const Tensor& trajectories) {
  require(trajectories.dtype() == DType::kI32 && trajectories.rank() == 3, op,
          ": trajectories must be i32 [B, T, N], not ", dtype_name(trajectories.dtype()),
          " of shape ", trajectories.shape().to_string());
}

}  // namespace

Variable temporal_attention(const Context& context, const Variable& qkv, int64_t batch,
                            int64_t frames, int64_t patches, int heads,
                            const Tensor& trajectories) {
  const char* const op = "temporal_attention";
  require(qkv.defined(), op, ": qkv is missing");
  check_matrix(op, "qkv", qkv.value(), /*allow_bf16=*/true);
  require(batch >= 0 && frames >= 1 && patches >= 0, op, ": ", batch, " clips of ", frames,
          " frames of ", patches, " patches are not possible");
  require(qkv.value().dim(0) == batch * frames * patches, op, ": qkv has ", qkv.value().dim(0),
          " rows; ", batch, " clips of ", frames, " frames of ", patches, " patches need ",
          batch * frames * patches);
  const int64_t columns = qkv.value().dim(1);
  require(heads >= 1 && columns > 0 && columns % (3 * int64_t{heads}) == 0, op, ": ", columns,
          " columns do not divide into q, k and v of ", heads, " heads");
  Tensor visits;
  if (trajectories) {
    check_trajectories(op, trajectories);
    require(trajectories.shape() == Shape({batch, frames, patches}), op,
            ": trajectories have shape ", trajectories.shape().to_string(), ", not ",
            Shape({batch, frames, patches}).to_string());
    visits = count_visits(context, op, trajectories);
  }

  const bool record = context.records(qkv);
  Tensor y = context.empty({batch * frames * patches, columns / 3}, qkv.value().dtype());
  context.kernels->temporal_attention(qkv.value(), batch, frames, patches, heads, trajectories,
                                      visits, y, context.allocator);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, qkv, batch, frames, patches, heads, trajectories, visits, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      Tensor dqkv = context.empty(qkv.value().shape());
      context.kernels->temporal_attention_gradient(dy, qkv.value(), batch, frames, patches, heads,
                                                   trajectories, visits, dqkv, context.allocator);
      context.accumulate_gradient(qkv, std::move(dqkv));
    });
  }
  return out;
}

Tensor visited_rows(const Context& context, const Tensor& trajectories) {
  if (!trajectories) return Tensor();
  check_trajectories("visited_rows", trajectories);
  const Tensor visits = count_visits(context, "visited_rows", trajectories);
  if (!visits) return Tensor();
  Tensor rows = context.empty({visits.count()});
  context.kernels->visited_rows(visits, rows);
  return rows;
}

}  // namespace ata
