#include "ops/dropout.h"

#include "ops/checks.h"

namespace ata {

Variable dropout(const Context& context, const Variable& x, const DropoutOptions& options) {
  require(x.defined(), "dropout: x is missing");
  const bool has_residual = options.residual.defined();
  const bool plain = !has_residual && !options.row_scale;
  check_matrix("dropout", "x", x.value(), /*allow_bf16=*/plain);
  const Shape& shape = x.value().shape();
  require(options.probability > 0.0f && options.probability < 1.0f, "dropout: the probability is ",
          options.probability, "; it must be in (0, 1)");
  if (has_residual) check_f32("dropout", "residual", options.residual.value(), shape);
  if (options.row_scale) check_f32("dropout", "row_scale", options.row_scale, {shape[0]});
  const Tensor& first = options.first_stream;
  require(!first || (first.dtype() == DType::kI64 && first.count() == 1),
          "dropout: first_stream must be i64 [1]");
  const RandomDrop drop = {options.probability, options.seed, options.stream, first};
  Tensor y = context.empty(shape, x.value().dtype());
  context.run(&Kernels::dropout, x.value(), drop, y);
  if (!plain) {
    const Tensor residual = has_residual ? options.residual.value() : Tensor();
    context.run(&Kernels::scale_rows, y, options.row_scale, residual, y);
  }
  const bool record = context.records(x, options.residual);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, x, options, drop, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      if (x.requires_gradient()) {
        Tensor dx = context.empty(dy.shape());
        if (options.row_scale)
          context.run(&Kernels::scale_rows, dy, options.row_scale, Tensor(), dx);
        context.run(&Kernels::dropout, options.row_scale ? dx : dy, drop, dx);
        context.accumulate_gradient(x, std::move(dx));
      }
      context.accumulate_gradient(options.residual, dy);
    });
  }
  return out;
}

}  // namespace ata
