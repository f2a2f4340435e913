#ifndef ATA_MODEL_TEMPORAL_STAGE_H_
#define ATA_MODEL_TEMPORAL_STAGE_H_

#include <cstdint>
#include <vector>

#include "model/temporal_step.h"
#include "ops/alignment.h"

namespace ata {

/// How the temporal steps of a network attend.
struct TemporalStageOptions {
  /// Whether frames are aligned; else patches attend at fixed positions.
  bool aligned = true;
  AlignmentOptions alignment = {};
  /// Every how many blocks frames are aligned; the blocks between reuse the last trajectories.
  int32_t align_every = 1;
  /// Whether a block's searches start where those of the block before ended, on similar features.
  bool warm_start = false;
  /// Number of blocks.
  int64_t depth = 1;
  DType compute = DType::kF32;
};

/// What a block's temporal step has of its own.
struct TemporalLayer {
  const TemporalWeights& weights;
  int heads = 1;
  float norm_eps = 1e-6f;
  int64_t block = 0;
};

/// The attention over time of one pass: aligns the frames before a block's temporal step, keeps the
/// trajectories, and runs the step along them. Backbones and the plug-in share it.
class TemporalStage {
 public:
  /// `state` is kept by whoever runs several passes, and must outlive this; what it holds does not
  /// change the result.
  TemporalStage(const TemporalStageOptions& options, AlignmentState& state);

  /// The temporal step of a block on patch rows f32 `[B*T*N, D]`. Blocks come in order, but one
  /// that has run may run again, along the same trajectories (recomputation).
  Variable run(const Context& context, const TrainingPass& training, const Variable& patches,
               const ClipLayout& layout, const TemporalLayer& layer);

  /// The trajectories of a block: those that were recorded, or the last ones between the blocks
  /// that align (`align_every`); else aligns the patches. For methods that have trajectories.
  const Trajectories& align(const Context& context, const Variable& patches,
                            const ClipLayout& layout, int64_t block);
  /// Lets the first block follow these.
  void follow(Trajectories trajectories) { trajectories_ = {std::move(trajectories)}; }
  /// Of each block so far.
  const std::vector<Trajectories>& trajectories() const { return trajectories_; }

 private:
  Trajectories match(const Context& context, const Variable& patches, const ClipLayout& layout,
                     int64_t block);

  TemporalStageOptions options_;
  AlignmentState& state_;
  std::vector<Trajectories> trajectories_;
};

}  // namespace ata

#endif  // ATA_MODEL_TEMPORAL_STAGE_H_
