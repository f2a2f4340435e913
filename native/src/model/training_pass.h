#ifndef ATA_MODEL_TRAINING_PASS_H_
#define ATA_MODEL_TRAINING_PASS_H_

#include <cstdint>

#include "ops/linear.h"

namespace ata {

/// Where a forward pass draws random numbers: the residual branches that drop path drops, and the
/// tensors that dropout works on.
enum class DrawSite : uint64_t {
  kTemporalBranch,
  kSpatialBranch,
  kMlpBranch,
  kTemporalProjection,
  kSpatialProjection,
  kMlpHidden,
  kMlpOutput,
  kHead,
};

/// How a training pass differs from inference. The defaults are inference.
struct TrainingPass {
  /// Probability in [0, 1) of dropping a residual branch of a sample in the last block; it grows
  /// linearly from 0 in the first (Huang et al., "Deep networks with stochastic depth", 2016). The
  /// only block of a model is the last.
  float drop_path_rate = 0.0f;
  /// Probability in [0, 1) of dropping an element after attention projections, in the MLP and
  /// before the head.
  float dropout_rate = 0.0f;
  uint64_t seed = 0;
  /// The first random stream of the batch, first_stream(), as an i64 `[1]` of the device, or empty:
  /// of batch 0. What is drawn depends on seed, batch, block and site alone, so that a block that
  /// runs again, and a run that was resumed, draw the same.
  Tensor batch_stream = {};
  /// Keep only each block's input, and run the block again for its backward (Chen et al.,
  /// "Training deep nets with sublinear memory cost", 2016).
  bool recompute = false;

  /// The first of a batch's random streams.
  static uint64_t first_stream(uint64_t batch);
  /// The random stream of a site, counted from the batch's first.
  static uint64_t stream(int64_t block, DrawSite site);

  /// Factor of every row of a branch's result, f32 `[patch_rows + class_rows]`: 0 for the rows of a
  /// dropped sample, 1 / (1 - probability) for those of the others, times `scale` where that is
  /// given. `scale` itself (which may be empty: 1) when the block drops nothing. `samples` divides
  /// both row counts; a sample's rows follow one another.
  Tensor drop_path(const Context& context, int64_t block, int64_t depth, DrawSite site,
                   int64_t samples, int64_t patch_rows, int64_t class_rows,
                   const Tensor& scale = {}) const;

  /// dropout(x), or x when nothing is dropped.
  Variable dropout(const Context& context, const Variable& x, int64_t block, DrawSite site) const;
};

/// The end of a residual branch.
struct ResidualBranch {
  Variable residual;
  /// Of drop path; or empty: 1.
  Tensor row_scale = {};
  int64_t block = 0;
  /// Of the dropout.
  DrawSite site = DrawSite::kMlpOutput;
  /// What the whole gave when it ran before, or empty.
  Tensor known_result = {};
};

/// residual + row_scale * dropout(linear(x)).
Variable add_branch(const Context& context, const TrainingPass& training, const Variable& x,
                    const LinearWeights& weights, const ResidualBranch& branch);

}  // namespace ata

#endif  // ATA_MODEL_TRAINING_PASS_H_
