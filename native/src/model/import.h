#ifndef ATA_MODEL_IMPORT_H_
#define ATA_MODEL_IMPORT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "model/model.h"

namespace ata {

/// How to import a foreign checkpoint; see ata_import_options.
struct ImportOptions {
  ata_source source = ATA_SOURCE_AUTO;
  /// 0: the checkpoint's, else 8.
  int32_t frames = 0;
  ata_temporal_mode temporal = ATA_TEMPORAL_ATA;
  /// 0: as many as the checkpoint's head, else 400.
  int32_t classes = 0;
  /// 0: dim / 64.
  int32_t heads = 0;
  /// Seed of a new head and of random times.
  uint64_t seed = 0;
  /// Whether a time embedding that the checkpoint lacks is that of a new model, rather than zero.
  bool random_times = false;

  /// Checks and converts the C API's struct.
  static ImportOptions from_c(const ata_import_options& options);
};

/// Reads a checkpoint of another project, stored as safetensors, as a trainable model. Prefixes
/// `module.` and `model.` of tensor names are stripped. Understood are
///
/// - timm's VisionTransformer with a class token, and Ata's own checkpoints (to gain what another
///   temporal mode needs). LayerScale is folded into the layer before it; absent biases are zero.
/// - CLIP's visual tower, under OpenAI's names (`visual.`) or Hugging Face's (`vision_model.`).
///   `ln_pre` becomes `norm_pre`; the projection into the joint space is dropped, for the head
///   takes its place. CLIP's quick GELU is computed as the exact one (they differ by at most 0.02)
///   and its normalisation's epsilon as 1e-6; a warning says so.
/// - TimeSformer.
///
/// Temporal weights that the checkpoint lacks and `options.temporal` needs start as follows:
/// `temporal_attn` and `temporal_norm1` as copies of `attn` and `norm1`, `temporal_fc` at zero,
/// `time_embed` at zero or as `options.random_times` says. A head of another size than
/// `options.classes` is replaced by a random one.
///
/// Throws ATA_BAD_MODEL naming what is missing, of a wrong shape, or what the reference model
/// cannot express (a model without a class token, register tokens, any unknown part of a block).
std::shared_ptr<Model> import_checkpoint(const std::string& path, const ImportOptions& options);

}  // namespace ata

#endif  // ATA_MODEL_IMPORT_H_
