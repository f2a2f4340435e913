#ifndef ATA_MODEL_CONFIG_H_
#define ATA_MODEL_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ata/ata.h"

namespace ata {

/// Width of an attention head where nobody says how many there are.
constexpr int32_t kHeadDim = 64;

/// What a model is: the JSON that a checkpoint holds in `__metadata__.config` (docs/formats.md,
/// "Checkpoints").
struct ModelConfig {
  /// Height and width of a frame in pixels; a multiple of `patch_size`.
  int32_t image_size = 224;
  int32_t patch_size = 16;
  /// Width of a token; a multiple of `heads`.
  int32_t dim = 768;
  /// Number of blocks.
  int32_t depth = 12;
  int32_t heads = 12;
  /// Between the two layers of the MLP.
  ata_activation activation = ATA_ACTIVATION_GELU;
  /// Added to the variance in every layer norm.
  float norm_eps = 1e-6f;
  /// Hidden width of the MLP over `dim`; `hidden_dim()` must come out integral.
  float mlp_ratio = 4.0f;
  int32_t frames = 8;
  int32_t classes = 400;
  ata_temporal_mode temporal = ATA_TEMPORAL_ATA;
  ata_alignment alignment = ATA_ALIGNMENT_EXACT;
  /// Every how many blocks frames are aligned; the blocks between reuse the last trajectories.
  int32_t align_every = 1;
  /// Parameters of the alignment methods that have them; see ata_alignment_options.
  int32_t window_radius = 3;
  float temperature = 0.05f;
  int32_t iterations = 50;
  /// Normalisation of clips, per channel on the 0..1 scale.
  float mean[3] = {0.45f, 0.45f, 0.45f};
  float std[3] = {0.225f, 0.225f, 0.225f};
  /// Names of the classes: as many as `classes`, or none.
  std::vector<std::string> labels;

  /// Patches along one side of a frame.
  int32_t grid() const { return image_size / patch_size; }
  /// N: patches of a frame.
  int64_t patches() const { return int64_t{grid()} * grid(); }
  int64_t hidden_dim() const;

  /// Throws `status` naming the field that is out of range; `origin` begins the message.
  void validate(ata_status status, const std::string& origin) const;

  std::string to_json() const;
  /// Parses and validates; missing optional fields take their defaults. Throws ATA_BAD_MODEL.
  /// `origin` (a path) begins every message.
  static ModelConfig from_json(const std::string& json, const std::string& origin);

  /// "vit-tiny", "vit-small", "vit-base" or "vit-large"; ATA_INVALID_ARGUMENT for others.
  static ModelConfig named(const std::string& architecture);

  /// Conversions of the C API's struct, which has no labels. from_c() validates.
  ata_model_config to_c() const;
  static ModelConfig from_c(const ata_model_config& config);
};

/// "ata", "divided", "joint" or "space_only".
const char* temporal_mode_name(ata_temporal_mode mode);
/// "gelu", "quick_gelu" or "gelu_tanh".
const char* activation_name(ata_activation activation);
/// "exact", "none", "nearest", "window", "sinkhorn" or "soft".
const char* alignment_name(ata_alignment alignment);

}  // namespace ata

#endif  // ATA_MODEL_CONFIG_H_
