#ifndef ATA_ALIGNMENT_SOFT_H_
#define ATA_ALIGNMENT_SOFT_H_

#include <vector>

#include "alignment/alignment.h"

namespace ata {

/// Scratch memory of soft alignment. One call at a time.
struct SoftWorkspace {
  std::vector<NormalizedFrame> frames;
  std::vector<AlignedBuffer<float>> buffers;
};

/// Soft alignment: for each pair of neighbouring frames the row-stochastic matrix
///   W_t[i, j] = softmax over j of S_t[i, j] / temperature,
/// S_t the cosine similarities. Row i says how patch i of frame t spreads over frame t + 1.
/// Parallel over pairs; the result does not depend on the number of threads.
/// @param features f32 `[clips, frames, patches, channels]`, contiguous, finite.
/// @param weights Receives f32 `[clips, frames - 1, patches, patches]`.
void soft_weights(const float* features, const ClipLayout& layout, int64_t channels,
                  float temperature, SoftWorkspace& workspace, float* weights);

/// The gradient of soft_weights(): adds to `grad_features` what `grad_weights` says about the
/// features. A patch of length 0 gets no gradient.
/// @param weights What soft_weights() returned for these features.
/// @param grad_weights f32, shape of `weights`.
/// @param grad_features f32, shape of `features`; accumulated into.
void soft_weights_backward(const float* features, const ClipLayout& layout, int64_t channels,
                           float temperature, const float* weights, const float* grad_weights,
                           SoftWorkspace& workspace, float* grad_features);

}  // namespace ata

#endif  // ATA_ALIGNMENT_SOFT_H_
