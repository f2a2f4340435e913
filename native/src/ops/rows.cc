#include "ops/rows.h"

#include "ops/checks.h"

namespace ata {

Variable slice_rows(const Context& context, const Variable& x, int64_t begin, int64_t end) {
  require(x.defined(), "slice_rows: x is missing");
  check_matrix("slice_rows", "x", x.value(), /*allow_bf16=*/true);
  require(0 <= begin && begin <= end && end <= x.value().dim(0), "slice_rows: rows ", begin, " to ",
          end, " of a matrix of shape ", x.value().shape().to_string());
  const bool record = context.records(x);
  Variable out(x.value().slice(begin, end), record);
  if (record) {
    context.tape->record([context, x, begin, end, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      Tensor dx = context.gradient(x).slice(begin, end);
      context.run(&Kernels::add, dy, dx);
    });
  }
  return out;
}

Variable concat_rows(const Context& context, const Variable& first, const Variable& second) {
  require(first.defined() && second.defined(), "concat_rows: an input is missing");
  check_matrix("concat_rows", "first", first.value(), /*allow_bf16=*/true);
  check_matrix("concat_rows", "second", second.value(), /*allow_bf16=*/true);
  require(first.value().dim(1) == second.value().dim(1) &&
              first.value().dtype() == second.value().dtype(),
          "concat_rows: ", dtype_name(first.value().dtype()), " of shape ",
          first.value().shape().to_string(), " and ", dtype_name(second.value().dtype()),
          " of shape ", second.value().shape().to_string(), " differ in columns or type");
  const int64_t split = first.value().dim(0);
  const int64_t rows = split + second.value().dim(0);
  const bool record = context.records(first, second);
  Tensor y = context.empty({rows, first.value().dim(1)}, first.value().dtype());
  Tensor top = y.slice(0, split);
  Tensor bottom = y.slice(split, rows);
  context.run(&Kernels::convert, first.value(), top);
  context.run(&Kernels::convert, second.value(), bottom);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, first, second, split, rows, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      // The two parts do not overlap, so that each input may own its part of the memory.
      context.accumulate_gradient(first, dy.slice(0, split));
      context.accumulate_gradient(second, dy.slice(split, rows));
    });
  }
  return out;
}

Variable mean_rows(const Context& context, const Variable& x, int64_t count) {
  require(x.defined(), "mean_rows: x is missing");
  check_matrix("mean_rows", "x", x.value(), /*allow_bf16=*/false);
  require(count >= 1 && x.value().dim(0) % count == 0, "mean_rows: ", x.value().dim(0),
          " rows do not divide into runs of ", count);
  const bool record = context.records(x);
  Tensor y = context.empty({x.value().dim(0) / count, x.value().dim(1)});
  context.run(&Kernels::mean_rows, x.value(), count, y);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, x, count, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      context.run(&Kernels::mean_rows_gradient, dy, count, context.gradient(x));
    });
  }
  return out;
}

}  // namespace ata
