#include "model/temporal_stage.h"

#include "base/error.h"

namespace ata {

TemporalStage::TemporalStage(const TemporalStageOptions& options, AlignmentState& state)
    : options_(options), state_(state) {
  // A pass must not depend on those before it.
  state_.warm_start = options_.warm_start;
  state_.column_duals = Tensor();
}

const Trajectories& TemporalStage::align(const Context& context, const Variable& patches,
                                         const ClipLayout& layout, int64_t block) {
  if (static_cast<size_t>(block) < trajectories_.size()) {
    return trajectories_[static_cast<size_t>(block)];
  }
  const bool reuses = trajectories_.size() % static_cast<size_t>(options_.align_every) != 0;
  trajectories_.push_back(reuses ? trajectories_.back() : match(context, patches, layout, block));
  return trajectories_.back();
}

Trajectories TemporalStage::match(const Context& context, const Variable& patches,
                                  const ClipLayout& layout, int64_t block) {
  try {
    return ata::align(context, patches.value(), layout, options_.alignment, state_);
  } catch (const Error& error) {
    // Clips are finite and options valid, so that what cannot be aligned is the model's.
    if (error.status() != ATA_INVALID_ARGUMENT) throw;
    fail(ATA_NOT_FINITE, "the model computes tokens that are not finite before block ", block,
         ": its weights are damaged or far too large");
  }
}

Variable TemporalStage::run(const Context& context, const TrainingPass& training,
                            const Variable& patches, const ClipLayout& layout,
                            const TemporalLayer& layer) {
  TemporalStep step = {.layout = layout,
                       .heads = layer.heads,
                       .compute = options_.compute,
                       .norm_eps = layer.norm_eps,
                       .block = layer.block,
                       .depth = options_.depth};
  const bool given = static_cast<size_t>(layer.block) < trajectories_.size();
  if (options_.aligned) {
    step.soft = options_.alignment.method == AlignmentMethod::kSoft && !given;
    step.temperature = options_.alignment.temperature;
    if (!step.soft) step.trajectories = align(context, patches, layout, layer.block);
  }
  return run_temporal_step(context, patches, layer.weights, step, training);
}

}  // namespace ata
