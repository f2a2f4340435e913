#include "alignment/soft.h"
#include "base/threads.h"
#include "ops/cpu.h"

namespace ata::cpu {
void soft_weights(Stream&, const Tensor& features, const ClipLayout& layout, float temperature,
                  Tensor& weights) {
  SoftWorkspace workspace;
  ata::soft_weights(features.data<float>(), layout, features.dim(1), temperature, workspace,
                    weights.data<float>());
}

void soft_weights_gradient(Stream&, const Tensor& features, const ClipLayout& layout,
                           float temperature, const Tensor& weights, const Tensor& dweights,
                           Tensor& dfeatures) {
  SoftWorkspace workspace;
  soft_weights_backward(features.data<float>(), layout, features.dim(1), temperature,
                        weights.data<float>(), dweights.data<float>(), workspace,
                        dfeatures.data<float>());
}

void divide(Stream&, const Tensor& dividend, const Tensor& divisor, Tensor& y) {
  const float* over = dividend ? dividend.data<float>() : nullptr;
  const float* under = divisor.data<float>();
  float* out = y.data<float>();
  for (int64_t i = 0; i < y.count(); ++i) {
    out[i] = under[i] == 0.0f ? 0.0f : (over ? over[i] : 1.0f) / under[i];
  }
}

void negative_row_dots(Stream&, const Tensor& a, const Tensor& b, const Tensor& divisor,
                       Tensor& y) {
  const int64_t columns = a.dim(1);
  const float* left = a.data<float>();
  const float* right = b.data<float>();
  const float* under = divisor.data<float>();
  float* out = y.data<float>();
  parallel_for(a.dim(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      double sum = 0;
      for (int64_t c = 0; c < columns; ++c) {
        sum += static_cast<double>(left[row * columns + c]) * right[row * columns + c];
      }
      out[row] = under[row] == 0.0f ? 0.0f : static_cast<float>(-sum / under[row]);
    }
  });
}

}  // namespace ata::cpu
