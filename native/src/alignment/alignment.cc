#include "alignment/alignment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "alignment/pair_matcher.h"
#include "base/error.h"
#include "base/threads.h"

namespace ata {
namespace {

// Similarity matrices of this many bytes are held at once.
constexpr int64_t kGroupBytes = int64_t{64} << 20;
// Rows of one similarity task.
constexpr int64_t kRowChunk = 96;
// Below this, float32 similarities over the temperature are noise.
constexpr float kLeastTemperature = 1e-6F;

// Follows the matches of one clip from frame to frame.
void chain(const int32_t* matches, int64_t frames, int64_t patches, int32_t* trajectories) {
  std::iota(trajectories, trajectories + patches, 0);
  for (int64_t t = 0; t + 1 < frames; ++t) {
    const int32_t* now = trajectories + t * patches;
    int32_t* next = trajectories + (t + 1) * patches;
    for (int64_t n = 0; n < patches; ++n) next[n] = matches[t * patches + now[n]];
  }
}

double dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

// The trajectories of `none`.
void stay_in_place(int64_t frames, int64_t patches, int32_t* trajectories) {
  for (int64_t frame = 0; frame < frames; ++frame, trajectories += patches) {
    std::iota(trajectories, trajectories + patches, 0);
  }
}

// Similarities along fixed positions, for `none`.
void position_similarities(const float* features, const ClipLayout& layout, int64_t channels,
                           float* out) {
  const int64_t frame_size = layout.patches * channels;
  parallel_for(layout.pairs(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      const int64_t frame = layout.first_frame(pair);
      const float* now = features + frame * frame_size;
      const float* next = now + frame_size;
      for (int64_t n = 0; n < layout.patches; ++n) {
        const float* a = now + n * channels;
        const float* b = next + n * channels;
        const double norms = std::sqrt(dot(a, a, channels)) * std::sqrt(dot(b, b, channels));
        require(std::isfinite(norms), "features of frame ", frame % layout.frames, ", patch ", n,
                ", or the frame after it contain NaN or infinity; alignment needs finite features");
        out[pair * layout.patches + n] =
            norms > 0 ? static_cast<float>(dot(a, b, channels) / norms) : 0;
      }
    }
  });
}

// Matches the pairs [first, last), whose similarity matrices fit the workspace together.
class PairGroup {
 public:
  PairGroup(const float* features, const ClipLayout& layout, int64_t channels,
            const AlignmentOptions& options, AlignmentWorkspace& workspace, int64_t first,
            int64_t last)
      : features_(features),
        layout_(layout),
        channels_(channels),
        options_(options),
        workspace_(workspace),
        first_(first),
        last_(last),
        first_frame_(layout.first_frame(first)),
        frame_count_(layout.first_frame(last - 1) + 2 - first_frame_) {}

  void match(int32_t* matches, float* similarities, double* column_duals) {
    const bool with_matrix = needs_similarity_matrix(options_.method);
    normalize();
    if (with_matrix) multiply();
    const int64_t patches = layout_.patches;
    // Another thread may have raised thread_count() since `workers` was sized.
    const int workers = std::min(thread_count(), static_cast<int>(workspace_.workers.size()));
    parallel_for_dynamic(last_ - first_, workers, [&](int64_t index, int worker) {
      const int64_t pair = first_ + index;
      const auto current = static_cast<size_t>(layout_.first_frame(pair) - first_frame_);
      match_pair(workspace_.frames[current], workspace_.frames[current + 1],
                 with_matrix ? matrix(index) : nullptr, options_,
                 workspace_.workers[static_cast<size_t>(worker)], pair,
                 column_duals != nullptr ? column_duals + pair * patches : nullptr,
                 matches + pair * patches,
                 similarities != nullptr ? similarities + pair * patches : nullptr);
    });
  }

 private:
  float* matrix(int64_t index) {
    return workspace_.similarity.data() + index * layout_.patches * layout_.patches;
  }

  void normalize() {
    auto& frames = workspace_.frames;
    frames.resize(std::max(frames.size(), static_cast<size_t>(frame_count_)));
    const int64_t frame_size = layout_.patches * channels_;
    parallel_for_dynamic(frame_count_, [&](int64_t index, int) {
      const int64_t frame = first_frame_ + index;
      frames[static_cast<size_t>(index)].assign(features_ + frame * frame_size, layout_.patches,
                                                channels_, channels_, frame % layout_.frames,
                                                frame_product(options_));
    });
  }

  void multiply() {
    const int64_t patches = layout_.patches;
    workspace_.similarity.reserve(static_cast<size_t>((last_ - first_) * patches * patches));
    const int64_t chunks = (patches + kRowChunk - 1) / kRowChunk;
    parallel_for_dynamic((last_ - first_) * chunks, [&](int64_t task, int) {
      const int64_t index = task / chunks;
      const int64_t begin = task % chunks * kRowChunk;
      const auto current = static_cast<size_t>(layout_.first_frame(first_ + index) - first_frame_);
      cosine_similarity(workspace_.frames[current], begin, std::min(begin + kRowChunk, patches),
                        workspace_.frames[current + 1], matrix(index) + begin * patches);
    });
  }

  const float* features_;
  const ClipLayout& layout_;
  const int64_t channels_;
  const AlignmentOptions& options_;
  AlignmentWorkspace& workspace_;
  const int64_t first_;
  const int64_t last_;
  const int64_t first_frame_;
  const int64_t frame_count_;
};

// Reorders similarities [pair, patch of frame t] to trajectories [pair, n].
void follow_trajectories(const ClipLayout& layout, const int32_t* trajectories,
                         float* similarities) {
  std::vector<float> row(static_cast<size_t>(layout.patches));
  for (int64_t pair = 0; pair < layout.pairs(); ++pair) {
    const int64_t frame = layout.first_frame(pair);
    float* line = similarities + pair * layout.patches;
    std::copy_n(line, layout.patches, row.data());
    for (int64_t n = 0; n < layout.patches; ++n) {
      line[n] = row[static_cast<size_t>(trajectories[frame * layout.patches + n])];
    }
  }
}

}  // namespace

PatchGrid window_grid(const AlignmentOptions& options, int64_t patches) {
  PatchGrid grid{options.grid_height, options.grid_width};
  if (grid.height == 0 && grid.width == 0) {
    grid.height = grid.width =
        static_cast<int>(std::lrint(std::sqrt(static_cast<double>(patches))));
  }
  require(static_cast<int64_t>(grid.height) * grid.width == patches, "window alignment: ", patches,
          " patches do not form a grid of ", grid.height, " x ", grid.width,
          "; set grid_height and grid_width");
  return grid;
}

void validate(const AlignmentOptions& options, int64_t patches) {
  const int method = static_cast<int>(options.method);
  require(method >= ATA_ALIGNMENT_EXACT && method <= ATA_ALIGNMENT_SOFT, "alignment method ",
          method, " does not exist");
  require(options.window_radius >= 0, "alignment: window_radius is ", options.window_radius,
          "; it must be at least 0");
  require(std::isfinite(options.temperature) && options.temperature >= kLeastTemperature,
          "alignment: temperature is ", options.temperature, "; it must be at least ",
          kLeastTemperature);
  require(options.iterations >= 1, "alignment: iterations is ", options.iterations,
          "; it must be at least 1");
  require(options.grid_height >= 0 && options.grid_width >= 0, "alignment: the patch grid is ",
          options.grid_height, " x ", options.grid_width, "; extents cannot be negative");
  if (options.method == AlignmentMethod::kWindow) window_grid(options, patches);
}

void align_features(const float* features, const ClipLayout& layout, int64_t channels,
                    const AlignmentOptions& options, AlignmentWorkspace& workspace,
                    int32_t* trajectories, float* similarities, double* column_duals) {
  validate(options, layout.patches);
  if (options.method == AlignmentMethod::kSoft) {
    fail(ATA_UNSUPPORTED, "soft alignment has no trajectories; choose another alignment");
  }
  if (options.method == AlignmentMethod::kNone || layout.pairs() == 0) {
    stay_in_place(layout.clips * layout.frames, layout.patches, trajectories);
    if (similarities != nullptr && layout.pairs() > 0) {
      position_similarities(features, layout, channels, similarities);
    }
    return;
  }
  require(layout.patches >= 1 && layout.patches <= kMaxAssignmentExtent, "alignment of ",
          layout.patches, " patches a frame; it can align 1 to ", kMaxAssignmentExtent);
  workspace.workers.resize(std::max(workspace.workers.size(), static_cast<size_t>(thread_count())));
  workspace.matches.reserve(static_cast<size_t>(layout.pairs() * layout.patches));
  const int64_t matrix_bytes =
      layout.patches * layout.patches * static_cast<int64_t>(sizeof(float));
  const int64_t group = std::max<int64_t>(1, kGroupBytes / matrix_bytes);
  for (int64_t first = 0; first < layout.pairs(); first += group) {
    PairGroup(features, layout, channels, options, workspace, first,
              std::min(first + group, layout.pairs()))
        .match(workspace.matches.data(), similarities, column_duals);
  }
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    chain(workspace.matches.data() + clip * (layout.frames - 1) * layout.patches, layout.frames,
          layout.patches, trajectories + clip * layout.frames * layout.patches);
  }
  if (similarities != nullptr) follow_trajectories(layout, trajectories, similarities);
}

}  // namespace ata
