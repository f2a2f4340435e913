#include <algorithm>
#include <cmath>

#include "ops/cpu.h"

namespace ata::cpu {

// The matrix is small (a batch of class scores), so that sums are simply made in f64.
void softmax_cross_entropy(Stream& stream, const Tensor& logits, const Tensor& targets,
                           float label_smoothing, Tensor& loss, Tensor& dlogits) {
  const int64_t batch = logits.dim(0);
  const int64_t classes = logits.dim(1);
  const float* scores = logits.data<float>();
  const int64_t* indices = targets.dtype() == DType::kI64 ? targets.data<int64_t>() : nullptr;
  const float* probabilities = indices ? nullptr : targets.data<float>();
  float* gradient = dlogits ? dlogits.data<float>() : nullptr;
  if (indices && std::any_of(indices, indices + batch,
                             [&](int64_t target) { return target < 0 || target >= classes; })) {
    stream.status.data<int32_t>()[0] |= kClassOutOfRange;
    return;
  }
  const double smoothing = label_smoothing;
  double total = 0.0;
  for (int64_t b = 0; b < batch; ++b) {
    const float* row = scores + b * classes;
    const double largest = *std::max_element(row, row + classes);
    double sum = 0.0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - largest);
    const double log_sum = largest + std::log(sum);
    const auto target = [&](int64_t c) {
      const double given = indices ? (indices[b] == c ? 1.0 : 0.0)
                                   : static_cast<double>(probabilities[b * classes + c]);
      return (1.0 - smoothing) * given + smoothing / static_cast<double>(classes);
    };
    double mass = 0.0;
    for (int64_t c = 0; c < classes; ++c) {
      const double t = target(c);
      mass += t;
      // A class that is certain not to be the target does not count, even at -infinity.
      if (t != 0.0) total += t * (log_sum - row[c]);
    }
    if (!gradient) continue;
    for (int64_t c = 0; c < classes; ++c) {
      const double p = std::exp(row[c] - log_sum);
      gradient[b * classes + c] =
          static_cast<float>((mass * p - target(c)) / static_cast<double>(batch));
    }
  }
  loss.data<float>()[0] = static_cast<float>(total / static_cast<double>(batch));
}

}  // namespace ata::cpu
