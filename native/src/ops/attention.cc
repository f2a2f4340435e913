#include "ops/attention.h"

#include "ops/checks.h"

namespace ata {

Variable attention(const Context& context, const Variable& qkv, const ClipLayout& layout,
                   int heads) {
  require(qkv.defined(), "attention: qkv is missing");
  check_matrix("attention", "qkv", qkv.value(), /*allow_bf16=*/true);
  require(layout.clips >= 0 && layout.frames >= 1 && layout.patches >= 0, "attention: a layout of ",
          layout.clips, " clips, ", layout.frames, " frames and ", layout.patches,
          " patches is not possible");
  require(qkv.value().dim(0) == layout.token_rows(), "attention: qkv has ", qkv.value().dim(0),
          " rows; its layout needs ", layout.token_rows());
  const int64_t columns = qkv.value().dim(1);
  require(heads >= 1 && columns > 0 && columns % (3 * int64_t{heads}) == 0, "attention: ", columns,
          " columns do not divide into q, k and v of ", heads, " heads");

  const bool record = context.records(qkv);
  const int64_t dim = columns / 3;
  const int64_t sequences = layout.frame_count();
  Tensor y = context.empty({layout.token_rows(), dim}, qkv.value().dtype());
  Tensor log_sum = record ? context.empty({sequences, heads, 1 + layout.patches}) : Tensor();
  Tensor class_rows = record ? context.empty({sequences, dim}) : Tensor();
  context.run(&Kernels::attention, qkv.value(), layout, heads, y, log_sum, class_rows);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, qkv, layout, heads, log_sum, class_rows, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      Tensor dqkv = context.empty(qkv.value().shape());
      context.run(&Kernels::attention_gradient, dy, qkv.value(), out.value(), log_sum, class_rows,
                  layout, heads, dqkv);
      context.accumulate_gradient(qkv, std::move(dqkv));
    });
  }
  return out;
}

}  // namespace ata
