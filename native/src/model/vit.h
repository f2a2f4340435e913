#ifndef ATA_MODEL_VIT_H_
#define ATA_MODEL_VIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "align/alignment.h"
#include "model/config.h"
#include "ops/attention.h"
#include "ops/context.h"
#include "ops/linear.h"

namespace ata {

struct NormWeights {
  Variable gamma;
  Variable beta;
};

struct BlockWeights {
  /// The temporal step; undefined in the modes `joint` and `space_only`.
  NormWeights temporal_norm1;
  LinearWeights temporal_qkv;
  LinearWeights temporal_proj;
  /// `out_features` is 0 when temporal_proj already holds the product of the two: nothing lies
  /// between them, so that inference needs one.
  LinearWeights temporal_fc;

  NormWeights norm1;
  LinearWeights qkv;
  LinearWeights proj;
  NormWeights norm2;
  LinearWeights fc1;
  LinearWeights fc2;
};

/// The weights of a ViT with temporal attention (spec "The reference model").
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

/// What aligning keeps between blocks and between runs, to spare allocation. One run at a time.
struct AlignmentMemory {
  AlignmentWorkspace workspace;
  /// Where the next block's search starts: the duals of the last one, whose features are similar.
  std::vector<double> column_duals;
};

/// One forward pass of a ViT over clips.
///
/// Tokens are one f32 matrix `[B*T*N + class_rows, D]`: patch rows ordered (b, t, n), then class
/// rows, one per clip (per frame in mode `space_only`). Without a tape each step is added to the
/// matrix in place. With ATA_PRECISION_BF16 what the linear layers and the attentions read and
/// write is bf16; the matrix and the alignment stay in f32.
///
/// Holds references: the arguments of the constructor must outlive it.
class VitForward {
 public:
  /// `memory` is used in mode `ata` alone; what it holds does not change the result.
  VitForward(const Context& context, const VitWeights& weights, const ModelConfig& config,
             ata_precision precision, AlignmentMemory& memory);

  /// Tokens that enter the first block; clip f32 `[B, 3, T, H, W]`.
  Variable embed(const Variable& clip);
  /// Runs block `index`.
  Variable block(const Variable& tokens, int64_t index);
  /// Logits f32 `[B, classes]` from the tokens that leave the last block.
  Variable classify(const Variable& tokens);
  /// The patch rows of a token matrix, f32 `[B*T*N, D]`.
  Variable patch_rows(const Variable& tokens) const;

  /// Trajectories i32 `[B, T, N]` of each block run so far; undefined tensors where patches stay
  /// at their positions. Empty unless in mode `ata`.
  const std::vector<Tensor>& trajectories() const { return trajectories_; }

 private:
  Variable temporal_step(const Variable& tokens, const BlockWeights& block);
  Variable spatial_step(const Variable& tokens, const BlockWeights& block);
  Variable mlp_step(const Variable& tokens, const BlockWeights& block);
  /// Aligns the frames of the patch rows and records the result.
  Tensor align(const Variable& patches);
  Variable norm(const Variable& x, const NormWeights& weights, DType dtype) const;

  const Context& context_;
  const VitWeights& weights_;
  const ModelConfig& config_;
  AlignmentMemory& memory_;
  AlignmentOptions alignment_;
  /// Type of what products read and write.
  DType compute_;
  int64_t batch_ = 0;
  std::vector<Tensor> trajectories_;
};

}  // namespace ata

#endif  // ATA_MODEL_VIT_H_
