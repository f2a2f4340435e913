#ifndef ATA_MODEL_BACKBONES_VIT_H_
#define ATA_MODEL_BACKBONES_VIT_H_

#include <cstdint>
#include <vector>

#include "model/backbone.h"
#include "model/backbones/vit_config.h"

namespace ata {

/// A vision transformer whose blocks begin with a temporal step in the modes `ata` and `divided`.
///
/// Tokens are one f32 matrix `[B*T*N + class_rows, D]`: patch rows ordered (b, t, n), then class
/// rows, one per clip (per frame in mode `space_only`). Without a tape each step is added to the
/// matrix in place. With ATA_PRECISION_BF16 what the linear layers and the attentions read and
/// write is bf16; the matrix and the alignment stay in f32.
class Vit : public Backbone {
 public:
  Vit(const VitConfig& vit, const ModelConfig& config, ParameterWalk& walk);

  Variable embed(BackbonePass& pass, const Variable& clip) const override;
  Variable block(BackbonePass& pass, const Variable& tokens, int64_t index,
                 const Tensor& known_result) const override;
  /// After its attention the last block runs for the class rows alone.
  Variable class_token(BackbonePass& pass, const Variable& tokens, Variable* last) const override;
  Variable patch_rows(const BackbonePass& pass, const Variable& tokens) const override;

 private:
  struct Block {
    /// Undefined in the modes `joint` and `space_only`.
    TemporalWeights temporal;
    NormWeights norm1;
    LinearWeights qkv;
    LinearWeights proj;
    NormWeights norm2;
    LinearWeights fc1;
    LinearWeights fc2;
  };

  Variable temporal_step(BackbonePass& pass, const Variable& tokens, int64_t index) const;
  /// The attention over space, all of it but its last layer.
  Variable spatial_attention(const BackbonePass& pass, const Variable& tokens, int64_t index) const;
  Variable spatial_output(const BackbonePass& pass, const Variable& attended,
                          const Variable& tokens, int64_t index) const;
  Variable mlp_step(const BackbonePass& pass, const Variable& tokens, int64_t index,
                    const Tensor& known_result) const;
  /// Factors of the rows of a branch over all tokens, or over the class rows when `tokens` holds
  /// them alone; or empty.
  Tensor drop_path(const BackbonePass& pass, const Variable& tokens, int64_t index,
                   DrawSite site) const;
  Variable norm(const BackbonePass& pass, const Variable& x, const NormWeights& weights,
                DType dtype) const;
  /// The class rows of a matrix with a row for every token.
  Variable class_rows(const BackbonePass& pass, const Variable& tokens) const;

  VitConfig vit_;
  LinearWeights patch_embed_;
  Variable cls_token_;
  Variable pos_embed_;
  /// Undefined in mode `space_only`.
  Variable time_embed_;
  /// Undefined but in models that were imported from CLIP and its like.
  NormWeights norm_pre_;
  std::vector<Block> blocks_;
  NormWeights norm_;
};

}  // namespace ata

#endif  // ATA_MODEL_BACKBONES_VIT_H_
