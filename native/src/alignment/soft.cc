#include "alignment/soft.h"

#include <algorithm>

#include "base/threads.h"
#include "tensor/product.h"
#include "tensor/transpose.h"

namespace ata {
namespace {

// Normalises every frame of the batch.
void normalize_frames(const float* features, const ClipLayout& layout, int64_t channels,
                      SoftWorkspace& workspace) {
  const int64_t count = layout.clips * layout.frames;
  const int64_t frame_size = layout.patches * channels;
  workspace.frames.resize(std::max(workspace.frames.size(), static_cast<size_t>(count)));
  parallel_for_dynamic(count, [&](int64_t frame, int) {
    workspace.frames[static_cast<size_t>(frame)].assign(
        features + frame * frame_size, layout.patches, channels, channels, frame % layout.frames);
  });
}

// From the gradient of the weights of one pair to that of its similarities, in place: the softmax.
void softmax_backward(const float* weights, float temperature, int64_t patches, float* gradient) {
  for (int64_t i = 0; i < patches; ++i) {
    const float* w = weights + i * patches;
    float* g = gradient + i * patches;
    double mean = 0;
    for (int64_t j = 0; j < patches; ++j) mean += static_cast<double>(w[j]) * g[j];
    for (int64_t j = 0; j < patches; ++j) {
      g[j] = w[j] * (g[j] - static_cast<float>(mean)) / temperature;
    }
  }
}

// From the gradient of unit-length patches to that of the features, added to `out`.
void normalization_backward(const NormalizedFrame& frame, const float* gradient, float* out) {
  const int64_t channels = frame.channels();
  for (int64_t i = 0; i < frame.patches(); ++i) {
    const float length = frame.lengths()[i];
    if (!(length > 0)) continue;
    const float* unit = frame.rows() + i * channels;
    const float* g = gradient + i * channels;
    double along = 0;
    for (int64_t k = 0; k < channels; ++k) along += static_cast<double>(g[k]) * unit[k];
    for (int64_t k = 0; k < channels; ++k) {
      out[i * channels + k] += (g[k] - static_cast<float>(along) * unit[k]) / length;
    }
  }
}

// Gradient of the unit-length patches of one frame: from the pair it begins and the pair it ends.
class FrameGradient {
 public:
  FrameGradient(const ClipLayout& layout, int64_t channels, AlignedBuffer<float>& buffer)
      : layout_(layout), channels_(channels) {
    const int64_t matrix = layout.patches * layout.patches;
    const int64_t frame = layout.patches * channels;
    const int64_t panels = panel_elements(channels, layout.patches);
    buffer.reserve(static_cast<size_t>(2 * matrix + 2 * frame + panels));
    panels_ = buffer.data();  // first, for its alignment
    similarity_ = panels_ + panels;
    transposed_ = similarity_ + matrix;
    product_ = transposed_ + matrix;
    sum_ = product_ + frame;
    std::fill_n(sum_, frame, 0.0F);
  }

  // `other` is the frame after (begins) or before (does not).
  void add(const float* weights, const float* grad_weights, float temperature, bool begins,
           const NormalizedFrame& other) {
    const int64_t n = layout_.patches;
    std::copy_n(grad_weights, n * n, similarity_);
    softmax_backward(weights, temperature, n, similarity_);
    const float* left = similarity_;
    if (!begins) {
      transpose(similarity_, n, n, transposed_);
      left = transposed_;
    }
    pack(other.rows(), channels_, n, panels_);
    multiply_panels(left, n, n, panels_, channels_, product_);
    for (int64_t k = 0; k < n * channels_; ++k) sum_[k] += product_[k];
  }

  const float* sum() const { return sum_; }

 private:
  const ClipLayout& layout_;
  const int64_t channels_;
  float* panels_;
  float* similarity_;
  float* transposed_;
  float* product_;
  float* sum_;
};

}  // namespace

void soft_weights(const float* features, const ClipLayout& layout, int64_t channels,
                  float temperature, SoftWorkspace& workspace, float* weights) {
  validate({.method = AlignmentMethod::kSoft, .temperature = temperature}, layout.patches);
  normalize_frames(features, layout, channels, workspace);
  const int64_t n = layout.patches;
  parallel_for_dynamic(layout.pairs(), [&](int64_t pair, int) {
    const auto frame = static_cast<size_t>(layout.first_frame(pair));
    float* out = weights + pair * n * n;
    cosine_similarity(workspace.frames[frame], 0, n, workspace.frames[frame + 1], out);
    softmax_rows(out, n, n, temperature, out);
  });
}

void soft_weights_backward(const float* features, const ClipLayout& layout, int64_t channels,
                           float temperature, const float* weights, const float* grad_weights,
                           SoftWorkspace& workspace, float* grad_features) {
  validate({.method = AlignmentMethod::kSoft, .temperature = temperature}, layout.patches);
  normalize_frames(features, layout, channels, workspace);
  // Read once: another thread may change it at any time.
  const int workers = thread_count();
  workspace.buffers.resize(std::max(workspace.buffers.size(), static_cast<size_t>(workers)));
  const int64_t matrix = layout.patches * layout.patches;
  // Over frames, not pairs: each frame's gradient then has one writer.
  parallel_for_dynamic(layout.clips * layout.frames, workers, [&](int64_t frame, int worker) {
    const int64_t t = frame % layout.frames;
    const int64_t pair = frame / layout.frames * (layout.frames - 1) + t;
    FrameGradient gradient(layout, channels, workspace.buffers[static_cast<size_t>(worker)]);
    const auto at = static_cast<size_t>(frame);
    if (t + 1 < layout.frames) {
      gradient.add(weights + pair * matrix, grad_weights + pair * matrix, temperature, true,
                   workspace.frames[at + 1]);
    }
    if (t > 0) {
      gradient.add(weights + (pair - 1) * matrix, grad_weights + (pair - 1) * matrix, temperature,
                   false, workspace.frames[at - 1]);
    }
    normalization_backward(workspace.frames[at], gradient.sum(),
                           grad_features + frame * layout.patches * channels);
  });
}

}  // namespace ata
