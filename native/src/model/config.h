#ifndef ATA_MODEL_CONFIG_H_
#define ATA_MODEL_CONFIG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "model/backbone_config.h"

namespace ata {

/// What a model is: the JSON that a checkpoint holds in `__metadata__.config` (docs/formats.md,
/// "Checkpoints"). The fields here are those of every model; `backbone` has its architecture's.
struct ModelConfig {
  /// The architecture and what it alone has; never null. A new configuration's is ViT-Base.
  std::shared_ptr<const BackboneConfig> backbone = new_backbone_config("vit");
  /// Height and width of a frame in pixels.
  int32_t image_size = 224;
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

  /// D: width of a patch token.
  int32_t dim() const { return backbone->dim(); }
  /// Number of blocks.
  int32_t depth() const { return backbone->depth(); }
  /// Patches along one side of a frame.
  int32_t grid() const { return backbone->grid(image_size); }
  /// N: patches of a frame.
  int64_t patches() const { return int64_t{grid()} * grid(); }

  /// Throws `status` naming the field that is out of range; `origin` begins the message.
  void validate(ata_status status, const std::string& origin) const;

  std::string to_json() const;
  /// Parses and validates; missing optional fields take their defaults. Throws ATA_BAD_MODEL.
  /// `origin` (a path) begins every message.
  static ModelConfig from_json(const std::string& json, const std::string& origin);

  /// "vit-tiny", "vit-small", "vit-base" or "vit-large"; ATA_INVALID_ARGUMENT for others.
  static ModelConfig named(const std::string& name);

  /// The backbone's own fields, as in to_json().
  std::string backbone_json() const;
  /// Conversions of the C API's struct, which has no labels. to_c() points to `backbone_json`,
  /// which the caller keeps; from_c() validates.
  ata_model_config to_c(const std::string& backbone_json) const;
  static ModelConfig from_c(const ata_model_config& config);
};

/// True for the modes whose blocks have a temporal step (`divided`, `ata`).
inline bool has_temporal_step(ata_temporal_mode mode) {
  return mode == ATA_TEMPORAL_ATA || mode == ATA_TEMPORAL_DIVIDED;
}

/// "ata", "divided", "joint" or "space_only".
const char* temporal_mode_name(ata_temporal_mode mode);
/// "exact", "none", "nearest", "window", "sinkhorn" or "soft".
const char* alignment_name(ata_alignment alignment);

}  // namespace ata

#endif  // ATA_MODEL_CONFIG_H_
