#ifndef ATA_MODEL_BACKBONE_H_
#define ATA_MODEL_BACKBONE_H_

#include <cstdint>

#include "model/config.h"
#include "model/temporal_stage.h"
#include "model/training_pass.h"

namespace ata {

/// What a backbone runs in during one pass over clips.
struct BackbonePass {
  Context context;
  const ModelConfig& config;
  /// Type of what products read and write.
  DType compute;
  TrainingPass training;
  /// Attention over time, for blocks that have it.
  TemporalStage temporal;
  /// Of the clips that were embedded.
  ClipLayout layout = {};
};

/// A network that turns clips into patch tokens, block by block, and these into what a classifier
/// reads. It holds its weights, which it declares where it is built (ParameterWalk); the rest of a
/// model, its head, training, recomputation, files and sessions, is not its business. To add one,
/// derive from it and from BackboneConfig, and register the architecture.
///
/// What "tokens" are is the backbone's affair: an f32 matrix whose rows it knows. Without a tape a
/// block may write its result over them. Immutable: sessions share it.
class Backbone {
 public:
  virtual ~Backbone() = default;

  /// Tokens that enter the first block; clip f32 `[B, 3, T, H, W]`.
  virtual Variable embed(BackbonePass& pass, const Variable& clip) const = 0;
  /// Runs block `index`. `known_result`: what the block gave when it ran before on the same tokens,
  /// or empty; what is known need not be computed again.
  virtual Variable block(BackbonePass& pass, const Variable& tokens, int64_t index,
                         const Tensor& known_result) const = 0;
  /// From the tokens that enter the last block, what the head reads, f32 `[B, D]`. No more of the
  /// block need be computed than that depends on, unless `last` is not null: then all that leaves
  /// the block goes there. The bits of the result do not depend on `last`, with which there is no
  /// tape.
  virtual Variable class_token(BackbonePass& pass, const Variable& tokens,
                               Variable* last) const = 0;
  /// Patch tokens f32 `[B*T*N, D]`, rows ordered (b, t, n).
  virtual Variable patch_rows(const BackbonePass& pass, const Variable& tokens) const = 0;
};

}  // namespace ata

#endif  // ATA_MODEL_BACKBONE_H_
