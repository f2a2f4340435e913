#ifndef ATA_MODEL_VIT_H_
#define ATA_MODEL_VIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/temporal_step.h"
#include "model/training_pass.h"
#include "ops/alignment.h"
#include "ops/attention.h"
#include "ops/context.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"

namespace ata {

struct BlockWeights {
  /// Undefined in the modes `joint` and `space_only`.
  TemporalWeights temporal;

  NormWeights norm1;
  LinearWeights qkv;
  LinearWeights proj;
  NormWeights norm2;
  LinearWeights fc1;
  LinearWeights fc2;
};

/// The weights of a ViT with temporal attention.
struct VitWeights {
  LinearWeights patch_embed;
  Variable cls_token;
  Variable pos_embed;
  /// Undefined in mode `space_only`.
  Variable time_embed;
  /// Undefined but in models that were imported from CLIP and its like.
  NormWeights norm_pre;
  std::vector<BlockWeights> blocks;
  NormWeights norm;
  LinearWeights head;
};

/// True for the modes whose blocks have a temporal step (`divided`, `ata`).
inline bool has_temporal_step(ata_temporal_mode mode) {
  return mode == ATA_TEMPORAL_ATA || mode == ATA_TEMPORAL_DIVIDED;
}

/// Throws ATA_INVALID_ARGUMENT unless `clip` is f32 `[B, 3, T, H, W]`, B at least 1, T, H and W as
/// in the configuration.
void check_clip_shape(const ModelConfig& config, const Tensor& clip);
/// The same, and unless it is finite.
void check_clip(const ModelConfig& config, const Tensor& clip);

/// How a model that runs in that precision aligns frames.
AlignmentOptions alignment_options(const ModelConfig& config, ata_precision precision);

/// One forward pass of a ViT over clips.
///
/// Tokens are one f32 matrix `[B*T*N + class_rows, D]`: patch rows ordered (b, t, n), then class
/// rows, one per clip (per frame in mode `space_only`). Without a tape each step is added to the
/// matrix in place. With ATA_PRECISION_BF16 what the linear layers and the attentions read and
/// write is bf16; the matrix and the alignment stay in f32.
///
/// Holds references: weights, config and state must outlive it. With TrainingPass::recompute it
/// runs blocks again in the tape's backward, and must outlive that.
class VitForward {
 public:
  /// `state` is used in mode `ata` alone; what it holds does not change the result. `training`
  /// needs a tape, and weights whose layers are not merged.
  VitForward(const Context& context, const VitWeights& weights, const ModelConfig& config,
             ata_precision precision, AlignmentState& state, const TrainingPass& training = {});

  /// Tokens that enter the first block; clip f32 `[B, 3, T, H, W]`.
  Variable embed(const Variable& clip);
  /// Runs block `index`.
  Variable block(const Variable& tokens, int64_t index);
  /// The whole pass: logits f32 `[B, classes]`.
  Variable logits(const Variable& clip);
  /// From the tokens that enter the last block, the class token f32 `[B, D]` that the head reads.
  /// After its attention the block runs for the class rows alone; if `last` is not null, for all
  /// rows besides, and they go there. (The class rows are computed apart even so, that their bits
  /// do not depend on what else is asked for.) With `last` there must be no tape.
  Variable class_token(const Variable& tokens, Variable* last = nullptr);
  /// Logits f32 `[B, classes]` of class tokens.
  Variable head(const Variable& class_token);
  /// Aligns the tokens that enter block `index` as the block would, and goes no further. Mode `ata`
  /// with a method that has trajectories.
  void follow(const Variable& tokens, int64_t index) { align_block(patch_rows(tokens), index); }
  /// The patch rows of a token matrix, f32 `[B*T*N, D]`.
  Variable patch_rows(const Variable& tokens) const;

  /// Trajectories of each block run so far. Empty unless in mode `ata`.
  const std::vector<Trajectories>& trajectories() const { return trajectories_; }

 private:
  /// `known_result`: what the block gave when it ran before, or empty.
  Variable run_block(const Variable& tokens, int64_t index, const Tensor& known_result = {});
  /// The last block: its class rows, `[class_row_count(), D]`, and all rows if `last` is not null.
  Variable last_block(const Variable& tokens, Variable* last);
  /// Runs the block on a tape of its own, which it drops; backward runs it again.
  Variable recomputed_block(const Variable& tokens, int64_t index);
  Variable temporal_step(const Variable& tokens, int64_t index);
  /// The attention over space, all of it but its last layer: add_branch() adds that.
  Variable spatial_attention(const Variable& tokens, int64_t index);
  Variable spatial_output(const Variable& attended, const Variable& tokens, int64_t index);
  Variable mlp_step(const Variable& tokens, int64_t index, const Tensor& known_result);
  /// A residual branch's last layer: residual + row_scale * dropout(linear(x)).
  Variable add_branch(const Variable& x, const LinearWeights& weights, const Variable& residual,
                      const Tensor& row_scale, int64_t index, DrawSite dropout_site,
                      const Tensor& known_result = {}) const;
  /// Factors of the rows of a branch over all tokens, or over the class rows when `tokens` holds
  /// them alone; or empty: stochastic depth.
  Tensor branch_scale(const Variable& tokens, int64_t index, DrawSite site) const;
  /// Trajectories of block `index`: recorded ones when it runs again; else aligns the frames of the
  /// patch rows, or reuses the last trajectories (`align_every`), and records them.
  Trajectories align_block(const Variable& patches, int64_t index);
  Variable norm(const Variable& x, const NormWeights& weights, DType dtype) const;

  int64_t patch_row_count() const { return batch_ * config_.frames * config_.patches(); }
  int64_t class_row_count() const {
    return config_.temporal == ATA_TEMPORAL_SPACE_ONLY ? batch_ * config_.frames : batch_;
  }
  /// The class rows of a matrix with a row for every token.
  Variable class_rows(const Variable& tokens) const;

  Context context_;
  const VitWeights& weights_;
  const ModelConfig& config_;
  AlignmentState& state_;
  AlignmentOptions alignment_;
  TrainingPass training_;
  /// Type of what products read and write.
  DType compute_;
  int64_t batch_ = 0;
  std::vector<Trajectories> trajectories_;
};

}  // namespace ata

#endif  // ATA_MODEL_VIT_H_
