#ifndef ATA_MODEL_IMPORT_H_
#define ATA_MODEL_IMPORT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/importers/family.h"
#include "model/importers/import_note.h"
#include "model/model.h"

namespace ata {

/// How to import a foreign checkpoint; see ata_import_options.
struct ImportOptions {
  ata_checkpoint_source source = ATA_CHECKPOINT_AUTO;
  /// 0: the checkpoint's, else 8.
  int32_t frames = 0;
  /// None: the checkpoint's, `ata` for one of images.
  std::optional<ata_temporal_mode> temporal;
  /// 0: as many as the checkpoint's head, else 400.
  int32_t classes = 0;
  /// 0: as configuration files say, or as is usual for the width.
  int32_t heads = 0;
  /// Seed of a new head and of random times.
  uint64_t seed = 0;
  /// Whether a time embedding that the checkpoint lacks is that of a new model, rather than zero.
  bool random_times = false;
  /// 0: what the positions are for.
  int32_t image_size = 0;
  ata_positions positions = ATA_POSITIONS_AUTO;
  std::optional<ata_activation> activation;
  std::optional<float> norm_eps;
  std::optional<Normalization> normalization;
  /// Of the weights in a PyTorch file; "" for the usual ones.
  std::string key;
  /// Globs of the tensors to leave out.
  std::vector<std::string> ignore;
  /// Whether configuration files beside the checkpoint stay unread.
  bool tensors_only = false;
  /// Where the model's weights go.
  Device* device = &cpu_device();

  /// Checks and converts the C API's struct.
  static ImportOptions from_c(const ata_import_options& options);
};

struct ImportedModel {
  /// Trainable.
  std::shared_ptr<Model> model;
  /// What became of the file.
  ImportNotes notes;
};

/// Reads a checkpoint of another project, or of Ata, as a model that computes what the original
/// computed. The families that are understood have a file each in model/importers.
///
/// LayerScale is folded into the layer before it; biases that a network is made without are zero.
/// What `options.temporal` needs and the checkpoint lacks starts as follows: `temporal_attn` and
/// `temporal_norm1` as copies of `attn` and `norm1`, `temporal_fc` at zero, `time_embed` at zero or
/// as `options.random_times` says. A head of another size than `options.classes` is replaced by a
/// random one.
///
/// Throws ATA_BAD_MODEL naming what is missing, of a wrong shape, unknown or contradicted by a
/// configuration file, and asking for what nobody says.
ImportedModel import_checkpoint(const std::string& path, const ImportOptions& options);

}  // namespace ata

#endif  // ATA_MODEL_IMPORT_H_
