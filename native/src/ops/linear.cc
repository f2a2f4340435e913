#include "ops/linear.h"

#include "ops/checks.h"

namespace ata {
namespace {

void check_linear(const Variable& x, const LinearWeights& weights, const LinearOptions& options) {
  require(x.defined(), "linear: x is missing");
  check_matrix("linear", "x", x.value(), /*allow_bf16=*/true);
  const int64_t rows = x.value().dim(0);
  require(weights.in_features >= 1 && weights.out_features >= 1, "linear: weights of shape ",
          Shape({weights.out_features, weights.in_features}).to_string(), " are empty");
  require(x.value().dim(1) == weights.in_features, "linear: x has ", x.value().dim(1),
          " columns; the weights take ", weights.in_features);
  require(weights.weight.defined() || weights.packed, "linear: the weights are missing");
  if (weights.weight.defined()) {
    check_f32("linear", "weight", weights.weight.value(),
              {weights.out_features, weights.in_features});
  }
  if (weights.bias.defined()) {
    check_f32("linear", "bias", weights.bias.value(), {weights.out_features});
  }
  check_float("linear", "out_dtype", options.out_dtype);
  const bool residual = options.residual.defined();
  if (residual) {
    check_f32("linear", "residual", options.residual.value(), {rows, weights.out_features});
  }
  if (options.row_scale) check_f32("linear", "row_scale", options.row_scale, {rows});
  require(options.out_dtype == DType::kF32 || (!residual && !options.row_scale),
          "linear: a residual or row_scale needs an f32 result");
  require(options.activation == Activation::kNone || (!residual && !options.row_scale),
          "linear: an activation cannot be combined with a residual or row_scale");
  if (options.known_result) {
    require(options.activation == Activation::kNone,
            "linear: a known_result cannot be combined with an activation");
    check_f32("linear", "known_result", options.known_result, {rows, weights.out_features});
  }
}

// y = residual + row_scale * (x W^T + b), over the residual's memory when `in_place`.
Tensor affine(const Context& context, const Tensor& x, const LinearWeights& weights,
              const PackedMatrix* packed, const LinearOptions& options, bool in_place) {
  if (options.known_result) return options.known_result;
  const Shape shape = {x.dim(0), weights.out_features};
  const Tensor weight = weights.weight.defined() ? weights.weight.value() : Tensor();
  const Tensor bias = weights.bias.defined() ? weights.bias.value() : Tensor();
  const Tensor residual = options.residual.defined() ? options.residual.value() : Tensor();
  Tensor y = residual && in_place ? residual : context.empty(shape, options.out_dtype);
  if (options.row_scale) {
    Tensor product = context.empty(shape);
    context.run(&Kernels::linear, x, weight, packed, bias, Activation::kNone, false, product);
    context.run(&Kernels::scale_rows, product, options.row_scale, residual, y);
  } else {
    if (residual && !in_place) context.run(&Kernels::convert, residual, y);
    context.run(&Kernels::linear, x, weight, packed, bias, options.activation, residual.defined(),
                y);
  }
  return y;
}

// The gradient of `weight` += dy^T x. The first one of a step is written, not added to zeros: the
// gradients of a model are more memory than the caches hold.
void add_weight_gradient(const Context& context, const Tensor& dy, const Tensor& x,
                         const Variable& weight) {
  const bool accumulate = weight.gradient().defined() || x.dim(0) == 0;
  if (!accumulate) context.new_gradient(weight);
  context.run(&Kernels::linear_weight_gradient, dy, x, accumulate, context.gradient(weight));
}

}  // namespace

Variable linear(const Context& context, const Variable& x, const LinearWeights& weights,
                const LinearOptions& options) {
  check_linear(x, weights, options);
  const DType compute = x.value().dtype();
  const bool record = context.records(x, weights.weight, weights.bias, options.residual);
  if (record && !weights.weight.defined()) {
    fail(ATA_UNSUPPORTED,
         "linear: the weights are packed for inference; load the model for training to "
         "differentiate");
  }
  // Packed weights do not follow updates of the plain ones, so that training ignores them.
  const PackedMatrix* packed =
      context.tape && weights.weight.defined() ? nullptr : weights.packed.get();
  require(packed || weights.weight.defined(), "linear: the weights are missing");
  if (packed && packed->dtype() != compute) {
    fail(ATA_INTERNAL, "linear: x is ", dtype_name(compute), ", the packed weights ",
         dtype_name(packed->dtype()));
  }
  if (!record) {
    return Variable(affine(context, x.value(), weights, packed, options, !context.tape));
  }

  // What the activation is applied to, if there is one.
  Tensor inactive;
  Tensor y;
  if (options.activation != Activation::kNone) {
    LinearOptions plain = options;
    plain.activation = Activation::kNone;
    inactive = affine(context, x.value(), weights, nullptr, plain, false);
    y = context.empty(inactive.shape(), options.out_dtype);
    context.run(&Kernels::activate, inactive, options.activation, y);
  } else {
    y = affine(context, x.value(), weights, nullptr, options, false);
  }
  Variable out(y, true);
  context.tape->record([context, x, weight = weights.weight, bias = weights.bias,
                        residual = options.residual, row_scale = options.row_scale, inactive,
                        activation = options.activation, out] {
    const Tensor dy = out.take_gradient();
    if (!dy) return;
    Tensor d = dy;
    if (inactive) {
      context.run(&Kernels::activate_gradient, inactive, activation, dy, d);
    } else if (row_scale) {
      d = context.empty(dy.shape());
      context.run(&Kernels::scale_rows, dy, row_scale, Tensor(), d);
    }
    // Both products take the gradient in the type of the forward one.
    Tensor factor = d;
    if (x.value().dtype() != DType::kF32) {
      factor = context.empty(d.shape(), x.value().dtype());
      context.run(&Kernels::convert, d, factor);
    }
    if (x.requires_gradient()) {
      Tensor dx = context.empty(x.value().shape());
      context.run(&Kernels::linear_input_gradient, factor, weight.value(), dx);
      context.accumulate_gradient(x, std::move(dx));
    }
    if (weight.requires_gradient()) {
      add_weight_gradient(context, factor, x.value(), weight);
    }
    if (bias.requires_gradient()) {
      context.run(&Kernels::linear_bias_gradient, d, context.gradient(bias));
    }
    if (residual.requires_gradient()) context.accumulate_gradient(residual, dy);
  });
  return out;
}

LinearWeights chain_linear(const Context& context, const LinearWeights& first,
                           const LinearWeights& second) {
  for (const LinearWeights* layer : {&first, &second}) {
    require(layer->weight.defined() && layer->bias.defined(),
            "chain_linear: a plain weight or a bias is missing");
    check_f32("chain_linear", "weight", layer->weight.value(),
              {layer->out_features, layer->in_features});
    check_f32("chain_linear", "bias", layer->bias.value(), {layer->out_features});
  }
  require(second.in_features == first.out_features, "chain_linear: the first layer gives ",
          first.out_features, " features; the second takes ", second.in_features);
  const int64_t inner = first.out_features;
  const Shape shape = {second.out_features, first.in_features};
  // If there is memory for the gradient of the second weight, the product may lie in it: the one is
  // formed when the other is needed no longer.
  const Tensor unused = second.weight.gradient() ? Tensor() : second.weight.gradient_memory();
  Tensor product = unused && unused.shape() == shape ? unused : context.empty(shape);
  context.run(&Kernels::linear_input_gradient, second.weight.value(), first.weight.value(),
              product);
  Tensor sum = context.empty({1, second.out_features});
  context.run(&Kernels::linear, first.bias.value().reshape({1, inner}), second.weight.value(),
              nullptr, second.bias.value(), Activation::kNone, false, sum);

  const bool record = context.records(first.weight, first.bias, second.weight, second.bias);
  LinearWeights chained;
  chained.weight = Variable(product, record);
  chained.bias = Variable(sum.reshape({second.out_features}), record);
  chained.out_features = second.out_features;
  chained.in_features = first.in_features;
  if (record) {
    context.tape->record([context, inner, w1 = first.weight, b1 = first.bias, w2 = second.weight,
                          b2 = second.bias, weight = chained.weight, bias = chained.bias] {
      if (const Tensor dw = weight.take_gradient()) {
        if (w2.requires_gradient()) {
          Tensor dw2 = context.empty(w2.value().shape());
          context.run(&Kernels::linear, dw, w1.value(), nullptr, Tensor(), Activation::kNone,
                      /*accumulate=*/false, dw2);
          context.accumulate_gradient(w2, std::move(dw2));
        }
        if (w1.requires_gradient()) add_weight_gradient(context, w2.value(), dw, w1);
      }
      if (const Tensor db = bias.take_gradient()) {
        const Tensor row = db.reshape({1, db.count()});
        if (w2.requires_gradient()) {
          add_weight_gradient(context, row, b1.value().reshape({1, inner}), w2);
        }
        if (b1.requires_gradient()) {
          Tensor db1 = context.empty({1, inner});
          context.run(&Kernels::linear_input_gradient, row, w2.value(), db1);
          context.accumulate_gradient(b1, db1.reshape({inner}));
        }
        context.accumulate_gradient(b2, db);
      }
    });
  }
  return chained;
}

}  // namespace ata
