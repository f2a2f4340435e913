#include "ops/cross_entropy.h"

#include "ops/checks.h"

namespace ata {

Variable softmax_cross_entropy(const Context& context, const Variable& logits,
                               const Tensor& targets, float label_smoothing) {
  const char* const op = "softmax_cross_entropy";
  require(logits.defined(), op, ": the logits are missing");
  check_matrix(op, "logits", logits.value(), /*allow_bf16=*/false);
  const int64_t batch = logits.value().dim(0);
  const int64_t classes = logits.value().dim(1);
  require(batch >= 1 && classes >= 1, op, ": logits of shape ", logits.value().shape().to_string(),
          " hold nothing to learn from");
  require(targets.defined(), op, ": the targets are missing");
  const bool indices = targets.dtype() == DType::kI64 && targets.shape() == Shape({batch});
  const bool probabilities =
      targets.dtype() == DType::kF32 && targets.shape() == Shape({batch, classes});
  require(indices || probabilities, op, ": targets must be i64 ", Shape({batch}).to_string(),
          " or f32 ", Shape({batch, classes}).to_string(), ", not ", dtype_name(targets.dtype()),
          " ", targets.shape().to_string());
  require(label_smoothing >= 0.0f && label_smoothing < 1.0f, op,
          ": label_smoothing must be in [0, 1), not ", label_smoothing);

  const bool record = context.records(logits);
  Tensor loss = context.empty({1});
  Tensor dlogits = record ? context.empty(logits.value().shape()) : Tensor();
  context.run(&Kernels::softmax_cross_entropy, logits.value(), targets, label_smoothing, loss,
              dlogits);
  Variable out(loss, record);
  if (record) {
    context.tape->record([context, logits, dlogits, out]() mutable {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      context.run(&Kernels::scale, dy, dlogits);
      context.accumulate_gradient(logits, std::move(dlogits));
    });
  }
  return out;
}

void check_classes(const Tensor& targets, int64_t classes) {
  for (const int64_t target : targets.values<int64_t>()) {
    require(target >= 0 && target < classes, "target ", target, " is outside 0..", classes - 1,
            ", the classes of the model");
  }
}

}  // namespace ata
