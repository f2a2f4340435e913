#include "model/training_pass.h"

#include "ops/dropout.h"

namespace ata {

// 2^20 blocks and 2^40 batches are more than anyone runs.
uint64_t TrainingPass::first_stream(uint64_t batch) {
  return batch << 24;
}

uint64_t TrainingPass::stream(int64_t block, DrawSite site) {
  return static_cast<uint64_t>(block) << 4 | static_cast<uint64_t>(site);
}

Tensor TrainingPass::drop_path(const Context& context, int64_t block, int64_t depth, DrawSite site,
                               int64_t samples, int64_t patch_rows, int64_t class_rows,
                               const Tensor& scale) const {
  const float position =
      depth > 1 ? static_cast<float>(block) / static_cast<float>(depth - 1) : 1.0f;
  const float probability = drop_path_rate * position;
  if (probability == 0.0f) return scale;
  const RandomDrop drop = {probability, seed, stream(block, site), batch_stream};
  Tensor factors = context.empty({patch_rows + class_rows});
  context.run(&Kernels::drop_path, drop, samples, patch_rows, scale, factors);
  return factors;
}

Variable TrainingPass::dropout(const Context& context, const Variable& x, int64_t block,
                               DrawSite site) const {
  if (dropout_rate == 0.0f) return x;
  return ata::dropout(context, x,
                      {.probability = dropout_rate,
                       .seed = seed,
                       .stream = stream(block, site),
                       .first_stream = batch_stream});
}

Variable add_branch(const Context& context, const TrainingPass& training, const Variable& x,
                    const LinearWeights& weights, const ResidualBranch& branch) {
  if (training.dropout_rate == 0.0f) {
    return linear(context, x, weights,
                  {.residual = branch.residual,
                   .row_scale = branch.row_scale,
                   .known_result = branch.known_result});
  }
  return dropout(context, linear(context, x, weights),
                 {.probability = training.dropout_rate,
                  .seed = training.seed,
                  .stream = TrainingPass::stream(branch.block, branch.site),
                  .first_stream = training.batch_stream,
                  .residual = branch.residual,
                  .row_scale = branch.row_scale});
}

}  // namespace ata
