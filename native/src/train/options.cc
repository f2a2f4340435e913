#include "train/options.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace ata {
namespace {

// Also rejects NaN, for which every comparison is false.
void require_probability(float value, const char* field) {
  require(value >= 0.0f && value < 1.0f, field, " is ", value, "; it must be in [0, 1)");
}

void require_positive(float value, const char* field) {
  require(value > 0.0f && std::isfinite(value), field, " is ", value, "; it must be above 0");
}

void require_non_negative(float value, const char* field) {
  require(value >= 0.0f && std::isfinite(value), field, " is ", value, "; it must be at least 0");
}

bool flag(int32_t value, const char* field) {
  require(value == 0 || value == 1, field, " is ", value, "; it must be 0 or 1");
  return value == 1;
}

}  // namespace

void TrainOptions::validate() const {
  require(optimizer == ATA_OPTIMIZER_ADAMW || optimizer == ATA_OPTIMIZER_SGD, "optimizer is ",
          static_cast<int32_t>(optimizer), "; it must be 0 (AdamW) or 1 (SGD)");
  require_probability(beta1, "beta1");
  require_probability(beta2, "beta2");
  require_positive(epsilon, "epsilon");
  require_probability(momentum, "momentum");
  require(!nesterov || optimizer != ATA_OPTIMIZER_SGD || momentum > 0.0f,
          "nesterov needs a momentum above 0");
  require_non_negative(weight_decay, "weight_decay");
  require(layer_decay > 0.0f && layer_decay <= 1.0f, "layer_decay is ", layer_decay,
          "; it must be in (0, 1]");
  require_positive(new_parameter_scale, "new_parameter_scale");
  require_non_negative(clip_norm, "clip_norm");
  require_probability(label_smoothing, "label_smoothing");
  require_probability(stochastic_depth, "stochastic_depth");
  require_probability(dropout, "dropout");
  require_probability(ema_decay, "ema_decay");
  require(precision == ATA_PRECISION_F32 || precision == ATA_PRECISION_BF16, "precision is ",
          static_cast<int32_t>(precision), "; it must be 0 (f32) or 1 (bf16)");
}

std::string TrainOptions::to_json() const {
  // Floats print as the shortest text of their double value, which is exact.
  return nlohmann::json{
      {"optimizer", optimizer == ATA_OPTIMIZER_ADAMW ? "adamw" : "sgd"},
      {"beta1", beta1},
      {"beta2", beta2},
      {"epsilon", epsilon},
      {"momentum", momentum},
      {"nesterov", nesterov},
      {"weight_decay", weight_decay},
      {"layer_decay", layer_decay},
      {"new_parameter_scale", new_parameter_scale},
      {"new_parameters", new_parameters.value_or(kDefaultNewParameters)},
      {"frozen", frozen},
      {"clip_norm", clip_norm},
      {"label_smoothing", label_smoothing},
      {"stochastic_depth", stochastic_depth},
      {"dropout", dropout},
      {"ema_decay", ema_decay},
      {"precision", precision == ATA_PRECISION_F32 ? "f32" : "bf16"},
      {"recompute", recompute},
      {"seed", seed},
  }
      .dump();
}

TrainOptions TrainOptions::from_c(const ata_train_options& c) {
  TrainOptions options;
  options.optimizer = c.optimizer;
  options.beta1 = c.beta1;
  options.beta2 = c.beta2;
  options.epsilon = c.epsilon;
  options.momentum = c.momentum;
  options.nesterov = flag(c.nesterov, "nesterov");
  options.weight_decay = c.weight_decay;
  options.layer_decay = c.layer_decay;
  options.new_parameter_scale = c.new_parameter_scale;
  if (c.new_parameters != nullptr) options.new_parameters = c.new_parameters;
  if (c.frozen != nullptr) options.frozen = c.frozen;
  options.clip_norm = c.clip_norm;
  options.label_smoothing = c.label_smoothing;
  options.stochastic_depth = c.stochastic_depth;
  options.dropout = c.dropout;
  options.ema_decay = c.ema_decay;
  options.precision = c.precision;
  options.recompute = flag(c.recompute, "recompute");
  options.seed = c.seed;
  options.validate();
  return options;
}

ata_train_options TrainOptions::to_c() const {
  ata_train_options c = {};
  c.struct_size = sizeof(c);
  c.optimizer = optimizer;
  c.beta1 = beta1;
  c.beta2 = beta2;
  c.epsilon = epsilon;
  c.momentum = momentum;
  c.nesterov = nesterov;
  c.weight_decay = weight_decay;
  c.layer_decay = layer_decay;
  c.new_parameter_scale = new_parameter_scale;
  c.new_parameters = new_parameters ? new_parameters->c_str() : nullptr;
  c.frozen = frozen.empty() ? nullptr : frozen.c_str();
  c.clip_norm = clip_norm;
  c.label_smoothing = label_smoothing;
  c.stochastic_depth = stochastic_depth;
  c.dropout = dropout;
  c.ema_decay = ema_decay;
  c.precision = precision;
  c.recompute = recompute;
  c.seed = seed;
  return c;
}

}  // namespace ata
