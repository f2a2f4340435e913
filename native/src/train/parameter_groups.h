#ifndef ATA_TRAIN_PARAMETER_GROUPS_H_
#define ATA_TRAIN_PARAMETER_GROUPS_H_

#include <string>
#include <vector>

#include "train/options.h"

namespace ata {

/// What a parameter is, which decides whether weight decay applies to it.
enum class ParameterKind {
  /// Weights of linear layers and of the patch convolution: decayed.
  kMatrix,
  kBias,
  /// Scales and shifts of LayerNorm.
  kNorm,
  /// `cls_token`, `pos_embed`, `time_embed`.
  kEmbedding,
};

/// How the optimizer treats one parameter.
struct ParameterGroup {
  ParameterKind kind = ParameterKind::kMatrix;
  /// 0 for the embeddings, the patch projection and `norm_pre`, 1 + i for block i, depth + 1 for
  /// the final norm and the head.
  int layer = 0;
  bool is_new = false;
  bool frozen = false;
  /// Factor of the learning rate: layer_decay^(depth + 1 - layer), times new_parameter_scale for
  /// new parameters (Bao et al., "BEiT", 2022; Clark et al., "ELECTRA", 2020).
  double rate_scale = 1.0;
  /// Weight decay: the option's for matrices, 0 for the others.
  double weight_decay = 0.0;
};

/// Assigns every parameter of a model of `depth` blocks to its group; `names` are those of a
/// checkpoint (docs/formats.md, "Checkpoints"). A name that fits no rule is ATA_INTERNAL: no
/// parameter is trained by a guess. Patterns that match nothing, and options that freeze
/// everything, are ATA_INVALID_ARGUMENT.
std::vector<ParameterGroup> group_parameters(const std::vector<std::string>& names, int depth,
                                             const TrainOptions& options);

}  // namespace ata

#endif  // ATA_TRAIN_PARAMETER_GROUPS_H_
