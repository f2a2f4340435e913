#include "ops/soft_alignment.h"

#include "ops/checks.h"

namespace ata {
namespace {

// Frames are multiplied one by one, by the products that linear layers have:
//   linear(a, b)                     a b^T
//   linear_input_gradient(a, b)      a b
//   linear_weight_gradient(a, b)     (+)= a^T b

// The identity matrix [n, n].
Tensor identity(const Context& context, int64_t n) {
  Tensor result = Tensor::zeros({n, n}, DType::kF32);
  for (int64_t i = 0; i < n; ++i) result.data<float>()[i * n + i] = 1.0f;
  return context.upload(result);
}

// Frame `frame` of all clips' frames of a `[B, T, N, N]` tensor, as `[N, N]`.
Tensor square(const Tensor& tensor, const ClipLayout& layout, int64_t frame) {
  return tensor.reshape({tensor.dim(0) * tensor.dim(1), layout.patches, layout.patches})
      .slice(frame, frame + 1)
      .reshape({layout.patches, layout.patches});
}

// The patch rows of one frame of a `[B*T*N, D]` tensor.
Tensor frame_rows(const Tensor& tensor, const ClipLayout& layout, int64_t frame) {
  return tensor.slice(frame * layout.patches, (frame + 1) * layout.patches);
}

void check_rows(const char* op, const char* name, const Variable& x, const ClipLayout& layout) {
  require(x.defined(), op, ": ", name, " is missing");
  check_matrix(op, name, x.value(), /*allow_bf16=*/false);
  require(x.value().dim(0) == layout.patch_rows(), op, ": ", name, " has ", x.value().dim(0),
          " rows, not ", layout.patch_rows());
}

void check_trajectories(const char* op, const Variable& trajectories, const ClipLayout& layout) {
  require(trajectories.defined(), op, ": trajectories are missing");
  const Shape shape = {layout.clips, layout.frames, layout.patches, layout.patches};
  require(trajectories.value().shape() == shape, op, ": trajectories have shape ",
          trajectories.value().shape().to_string(), ", not ", shape.to_string());
}

// From dC to dW, and into the gradients of the earlier C as the chain runs back.
void unchain(const Context& context, const ClipLayout& layout, const Tensor& weights,
             const Tensor& trajectories, Tensor& dtrajectories, Tensor& dweights) {
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    for (int64_t t = layout.frames - 2; t >= 0; --t) {
      const int64_t pair = clip * (layout.frames - 1) + t;
      const int64_t frame = clip * layout.frames + t;
      const Tensor dnext = square(dtrajectories, layout, frame + 1);
      Tensor dw = square(dweights, layout, pair);
      context.run(&Kernels::linear_weight_gradient, square(trajectories, layout, frame), dnext,
                  /*accumulate=*/true, dw);
      Tensor dc = square(dtrajectories, layout, frame);
      context.run(&Kernels::linear, dnext, square(weights, layout, pair), nullptr, Tensor(),
                  Activation::kNone, /*accumulate=*/true, dc);
    }
  }
}

}  // namespace

Variable soft_trajectories(const Context& context, const Variable& x, const ClipLayout& layout,
                           float temperature) {
  check_rows("soft_trajectories", "x", x, layout);
  require(temperature > 0, "soft_trajectories: temperature is ", temperature,
          "; it must be above 0");
  const int64_t n = layout.patches;
  const Tensor features = x.value();
  Tensor weights = context.empty({layout.clips, layout.frames - 1, n, n});
  context.run(&Kernels::soft_weights, features, layout, temperature, weights);

  const Tensor start = identity(context, n);
  Tensor trajectories = context.empty({layout.clips, layout.frames, n, n});
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    Tensor first = square(trajectories, layout, clip * layout.frames);
    context.run(&Kernels::convert, start, first);
    for (int64_t t = 0; t + 1 < layout.frames; ++t) {
      const int64_t frame = clip * layout.frames + t;
      Tensor next = square(trajectories, layout, frame + 1);
      context.run(&Kernels::linear_input_gradient, square(trajectories, layout, frame),
                  square(weights, layout, clip * (layout.frames - 1) + t), next);
    }
  }

  const bool record = context.records(x);
  Variable out(trajectories, record);
  if (record) {
    context.tape->record([context, x, features, layout, temperature, weights, out] {
      Tensor dtrajectories = out.take_gradient();
      if (!dtrajectories) return;
      Tensor dweights = context.zeros(weights.shape());
      unchain(context, layout, weights, out.value(), dtrajectories, dweights);
      Tensor& dx = context.gradient(x);
      context.run(&Kernels::soft_weights_gradient, features, layout, temperature, weights, dweights,
                  dx);
    });
  }
  return out;
}

Variable soft_gather(const Context& context, const Variable& trajectories, const Variable& x,
                     const ClipLayout& layout) {
  check_rows("soft_gather", "x", x, layout);
  check_trajectories("soft_gather", trajectories, layout);
  Tensor y = context.empty(x.value().shape());
  for (int64_t frame = 0; frame < layout.frame_count(); ++frame) {
    Tensor rows = frame_rows(y, layout, frame);
    context.run(&Kernels::linear_input_gradient, square(trajectories.value(), layout, frame),
                frame_rows(x.value(), layout, frame), rows);
  }
  const bool record = context.records(trajectories, x);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, trajectories, x, layout, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      for (int64_t frame = 0; frame < layout.frame_count(); ++frame) {
        const Tensor drows = frame_rows(dy, layout, frame);
        if (x.requires_gradient()) {
          Tensor dx = frame_rows(context.gradient(x), layout, frame);
          context.run(&Kernels::linear_weight_gradient, square(trajectories.value(), layout, frame),
                      drows,
                      /*accumulate=*/true, dx);
        }
        if (trajectories.requires_gradient()) {
          Tensor dc = square(context.gradient(trajectories), layout, frame);
          context.run(&Kernels::linear, drows, frame_rows(x.value(), layout, frame), nullptr,
                      Tensor(), Activation::kNone, /*accumulate=*/true, dc);
        }
      }
    });
  }
  return out;
}

Variable soft_scatter(const Context& context, const Variable& trajectories, const Variable& x,
                      const Variable& residual, const Tensor& row_scale, const ClipLayout& layout) {
  check_rows("soft_scatter", "x", x, layout);
  check_rows("soft_scatter", "residual", residual, layout);
  check_trajectories("soft_scatter", trajectories, layout);
  const int64_t frames = layout.frame_count();

  // sums: C^T x; passing: how much of all trajectories passes through each patch.
  Tensor sums = context.empty(x.value().shape());
  Tensor passing = context.zeros({layout.patch_rows()});
  for (int64_t frame = 0; frame < frames; ++frame) {
    const Tensor c = square(trajectories.value(), layout, frame);
    Tensor rows = frame_rows(sums, layout, frame);
    context.run(&Kernels::linear_weight_gradient, c, frame_rows(x.value(), layout, frame),
                /*accumulate=*/false, rows);
    Tensor through = frame_rows(passing, layout, frame);
    context.run(&Kernels::linear_bias_gradient, c, through);
  }
  Tensor factor = context.empty({layout.patch_rows()});
  context.run(&Kernels::divide, row_scale, passing, factor);

  const bool record = context.records(trajectories, x, residual);
  Tensor y = context.tape ? context.empty(x.value().shape()) : residual.value();
  context.run(&Kernels::scale_rows, sums, factor, residual.value(), y);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, trajectories, x, residual, layout, sums, passing, factor, out] {
      Tensor dy = out.take_gradient();
      if (!dy) return;
      // y_i = residual_i + factor_i sums_i with factor_i = scale_i / passing_i.
      Tensor dsums = context.empty(dy.shape());
      context.run(&Kernels::scale_rows, dy, factor, Tensor(), dsums);
      // The gradient of passing_i: -(dsums_i . sums_i) / passing_i.
      Tensor dpassing = context.empty(passing.shape());
      context.run(&Kernels::negative_row_dots, dsums, sums, passing, dpassing);
      for (int64_t frame = 0; frame < layout.frame_count(); ++frame) {
        const Tensor drows = frame_rows(dsums, layout, frame);
        if (x.requires_gradient()) {
          Tensor product = context.empty(drows.shape());
          context.run(&Kernels::linear_input_gradient, square(trajectories.value(), layout, frame),
                      drows, product);
          Tensor dx = frame_rows(context.gradient(x), layout, frame);
          context.run(&Kernels::add, product, dx);
        }
        if (trajectories.requires_gradient()) {
          Tensor dc = square(context.gradient(trajectories), layout, frame);
          context.run(&Kernels::linear, frame_rows(x.value(), layout, frame), drows, nullptr,
                      frame_rows(dpassing, layout, frame), Activation::kNone, /*accumulate=*/true,
                      dc);
        }
      }
      context.accumulate_gradient(residual, std::move(dy));
    });
  }
  return out;
}

}  // namespace ata
