#ifndef ATA_TRAIN_OPTIONS_H_
#define ATA_TRAIN_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "ata/ata.h"

namespace ata {

/// How a model is trained: ata_train_options with owned strings. See there for the fields.
struct TrainOptions {
  ata_optimizer optimizer = ATA_OPTIMIZER_ADAMW;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float momentum = 0.9f;
  bool nesterov = false;
  float weight_decay = 0.05f;
  float layer_decay = 1.0f;
  float new_parameter_scale = 1.0f;
  /// Comma-separated patterns; absent for kDefaultNewParameters, which may match nothing.
  std::optional<std::string> new_parameters;
  std::string frozen;
  float clip_norm = 1.0f;
  float label_smoothing = 0.0f;
  float stochastic_depth = 0.0f;
  float dropout = 0.0f;
  float ema_decay = 0.0f;
  ata_precision precision = ATA_PRECISION_F32;
  bool recompute = false;
  uint64_t seed = 0;

  static constexpr const char* kDefaultNewParameters = "*temporal_*,time_embed,head.*";

  /// Throws ATA_INVALID_ARGUMENT naming the field that is out of range, and its range.
  void validate() const;

  /// JSON of every field, floats exact: equal options have equal text.
  std::string to_json() const;

  /// Conversions of the C API's struct. from_c() validates; to_c() points into this object.
  static TrainOptions from_c(const ata_train_options& options);
  ata_train_options to_c() const;
};

}  // namespace ata

#endif  // ATA_TRAIN_OPTIONS_H_
