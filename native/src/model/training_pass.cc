#include "model/training_pass.h"

#include <algorithm>

#include "base/random.h"
#include "ops/dropout.h"

namespace ata {

uint64_t TrainingPass::stream(int64_t block, DrawSite site) const {
  // 2^20 blocks and 2^40 batches are more than anyone runs.
  return batch << 24 | static_cast<uint64_t>(block) << 4 | static_cast<uint64_t>(site);
}

Tensor TrainingPass::drop_path(const Context& context, int64_t block, int64_t depth, DrawSite site,
                               int64_t samples, int64_t patch_rows, int64_t class_rows,
                               const Tensor& scale) const {
  const float position =
      depth > 1 ? static_cast<float>(block) / static_cast<float>(depth - 1) : 1.0f;
  const float probability = drop_path_rate * position;
  if (probability == 0.0f) return scale;
  Tensor rows({patch_rows + class_rows}, DType::kF32);
  float* patches = rows.data<float>();
  float* classes = patches + patch_rows;
  Random random(seed, stream(block, site));
  for (int64_t sample = 0; sample < samples; ++sample) {
    const float factor = random.uniform() < probability ? 0.0f : 1.0f / (1.0f - probability);
    patches = std::fill_n(patches, patch_rows / samples, factor);
    classes = std::fill_n(classes, class_rows / samples, factor);
  }
  const Tensor factors = context.upload(rows);
  if (!scale) return factors;
  Tensor product = context.empty({rows.count(), 1});
  context.run(&Kernels::scale_rows, scale.reshape(product.shape()), factors, Tensor(), product);
  return product.reshape(rows.shape());
}

Variable TrainingPass::dropout(const Context& context, const Variable& x, int64_t block,
                               DrawSite site) const {
  if (dropout_rate == 0.0f) return x;
  return ata::dropout(context, x,
                      {.probability = dropout_rate, .seed = seed, .stream = stream(block, site)});
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
                  .stream = training.stream(branch.block, branch.site),
                  .residual = branch.residual,
                  .row_scale = branch.row_scale});
}

}  // namespace ata
