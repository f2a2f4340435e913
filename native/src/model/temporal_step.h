#ifndef ATA_MODEL_TEMPORAL_STEP_H_
#define ATA_MODEL_TEMPORAL_STEP_H_

#include <cstdint>
#include <string>

#include "model/parameter_walk.h"
#include "model/training_pass.h"
#include "ops/alignment.h"
#include "ops/context.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/soft_alignment.h"

namespace ata {

/// The weights of a temporal step.
struct TemporalWeights {
  NormWeights norm1;
  LinearWeights qkv;
  LinearWeights proj;
  /// `out_features` is 0 when `proj` already holds the product of the two: nothing lies between
  /// them, so that inference needs one.
  LinearWeights fc;
};

/// Declares the parameters of a temporal step over tokens of width `dim`; names begin with
/// `prefix`, "blocks.3." or so.
TemporalWeights declare_temporal_weights(ParameterWalk& walk, const std::string& prefix,
                                         int64_t dim);

/// What a temporal step runs over, and along which paths.
struct TemporalStep {
  ClipLayout layout;
  int heads = 1;
  /// Type of what products read and write.
  DType compute = DType::kF32;
  float norm_eps = 1e-6F;
  /// Empty: fixed positions, or `soft`, which has none.
  Trajectories trajectories = {};
  /// Spread over all paths by similarity instead, at that temperature.
  bool soft = false;
  float temperature = 0.05F;
  /// The block, and of how many, for what a training pass draws at random.
  int64_t block = 0;
  int64_t depth = 1;
};

/// Attention over time as a residual branch (the ATA step):
/// x + fc(proj(attention(qkv(norm1(x))))) along the trajectories; x f32 `[B*T*N, D]`, rows ordered
/// (b, t, n). Patches that no trajectory visits keep their value. Without a tape the
/// result is written over x. A training pass needs weights whose `proj` and `fc` are two layers.
Variable run_temporal_step(const Context& context, const Variable& x,
                           const TemporalWeights& weights, const TemporalStep& step,
                           const TrainingPass& training = {});

}  // namespace ata

#endif  // ATA_MODEL_TEMPORAL_STEP_H_
