#include "ops/temporal_attention.h"

#include "ops/checks.h"

namespace ata {

Variable temporal_attention(const Context& context, const Variable& qkv, const ClipLayout& layout,
                            int heads, const Trajectories& trajectories) {
  const char* const op = "temporal_attention";
  require(qkv.defined(), op, ": qkv is missing");
  check_matrix(op, "qkv", qkv.value(), /*allow_bf16=*/true);
  require(layout.clips >= 0 && layout.frames >= 1 && layout.patches >= 0, op, ": ", layout.clips,
          " clips of ", layout.frames, " frames of ", layout.patches, " patches are not possible");
  require(qkv.value().dim(0) == layout.patch_rows(), op, ": qkv has ", qkv.value().dim(0),
          " rows; ", layout.clips, " clips of ", layout.frames, " frames of ", layout.patches,
          " patches need ", layout.patch_rows());
  const int64_t columns = qkv.value().dim(1);
  require(heads >= 1 && columns > 0 && columns % (3 * int64_t{heads}) == 0, op, ": ", columns,
          " columns do not divide into q, k and v of ", heads, " heads");
  if (trajectories.index) {
    const Shape shape = {layout.clips, layout.frames, layout.patches};
    require(trajectories.index.shape() == shape, op, ": trajectories have shape ",
            trajectories.index.shape().to_string(), ", not ", shape.to_string());
  }

  const bool record = context.records(qkv);
  Tensor y = context.empty({layout.patch_rows(), columns / 3}, qkv.value().dtype());
  context.run(&Kernels::temporal_attention, qkv.value(), layout, heads, trajectories.index,
              trajectories.visits, y);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, qkv, layout, heads, trajectories, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      Tensor dqkv = context.empty(qkv.value().shape());
      context.run(&Kernels::temporal_attention_gradient, dy, qkv.value(), layout, heads,
                  trajectories.index, trajectories.visits, dqkv);
      context.accumulate_gradient(qkv, std::move(dqkv));
    });
  }
  return out;
}

Tensor visited_rows(const Context& context, const Trajectories& trajectories) {
  if (!trajectories.visits) return Tensor();
  Tensor rows = context.empty({trajectories.visits.count()});
  context.run(&Kernels::visited_rows, trajectories.visits, rows);
  return rows;
}

}  // namespace ata
