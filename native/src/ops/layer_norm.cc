#include "ops/layer_norm.h"

#include "ops/checks.h"

namespace ata {

Variable layer_norm(const Context& context, const Variable& x, const Variable& gamma,
                    const Variable& beta, DType out_dtype, float epsilon) {
  require(x.defined() && gamma.defined() && beta.defined(),
          "layer_norm: x, gamma or beta is missing");
  check_matrix("layer_norm", "x", x.value(), /*allow_bf16=*/false);
  const int64_t rows = x.value().dim(0);
  const int64_t columns = x.value().dim(1);
  require(columns > 0, "layer_norm: x has no columns");
  check_f32("layer_norm", "gamma", gamma.value(), {columns});
  check_f32("layer_norm", "beta", beta.value(), {columns});
  check_float("layer_norm", "out_dtype", out_dtype);
  require(epsilon > 0, "layer_norm: epsilon must be above 0, not ", epsilon);

  const bool record = context.records(x, gamma, beta);
  Tensor y = context.empty({rows, columns}, out_dtype);
  Tensor mean = record ? context.empty({rows}) : Tensor();
  Tensor rstd = record ? context.empty({rows}) : Tensor();
  context.run(&Kernels::layer_norm, x.value(), gamma.value(), beta.value(), epsilon, y, mean, rstd);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, x, gamma, beta, mean, rstd, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      // The input's gradient usually holds the residual path's already, to which this one is added.
      const bool accumulate = x.requires_gradient() && x.gradient();
      Tensor dx;
      if (accumulate) {
        dx = x.gradient();
      } else if (x.requires_gradient()) {
        dx = context.empty(x.value().shape());
      }
      Tensor none;
      context.run(&Kernels::layer_norm_gradient, dy, x.value(), gamma.value(), mean, rstd,
                  accumulate, dx, gamma.requires_gradient() ? context.gradient(gamma) : none,
                  beta.requires_gradient() ? context.gradient(beta) : none);
      if (dx && !accumulate) x.set_gradient(dx);
    });
  }
  return out;
}

}  // namespace ata
