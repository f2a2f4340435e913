#include "alignment/alignment.h"

#include <algorithm>
#include <cmath>
#include <functional>
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

// The trajectories of `none`.
void stay_in_place(int64_t frames, int64_t patches, int32_t* trajectories) {
  for (int64_t frame = 0; frame < frames; ++frame, trajectories += patches) {
    std::iota(trajectories, trajectories + patches, 0);
  }
}

// The pairs of neighbouring frames of a call, clip after clip.
struct FramePairs {
  const ClipLayout& layout;
  // Each clip's first pair starts in the last frame of the part before.
  bool joined;

  int64_t per_clip() const { return std::max<int64_t>(layout.frames - (joined ? 0 : 1), 0); }
  int64_t count() const { return layout.clips * per_clip(); }
  int64_t clip(int64_t pair) const { return pair / per_clip(); }
  // A pair's frames within the clip's part. The first may be -1: that of the part before.
  int64_t second(int64_t pair) const { return pair % per_clip() + (joined ? 0 : 1); }
  int64_t first(int64_t pair) const { return second(pair) - 1; }
};

// Matches the pairs [begin, end), whose similarity matrices fit the workspace together.
class PairGroup {
 public:
  PairGroup(const float* features, const FramePairs& pairs, int64_t channels,
            const AlignmentOptions& options, const ClipPart& part, AlignmentWorkspace& workspace,
            int64_t begin, int64_t end)
      : features_(features),
        pairs_(pairs),
        layout_(pairs.layout),
        channels_(channels),
        options_(options),
        part_(part),
        workspace_(workspace),
        begin_(begin),
        end_(end),
        first_frame_(pairs.clip(begin) * layout_.frames + std::max<int64_t>(pairs.first(begin), 0)),
        frame_count_(pairs.clip(end - 1) * layout_.frames + pairs.second(end - 1) + 1 -
                     first_frame_) {}

  void match(int32_t* matches, float* similarities, double* column_duals) {
    const bool with_matrix = needs_similarity_matrix(options_.method);
    normalize();
    if (with_matrix) multiply();
    const int64_t patches = layout_.patches;
    // Another thread may have raised thread_count() since `workers` was sized.
    const int workers = std::min(thread_count(), static_cast<int>(workspace_.workers.size()));
    const auto match_one = [&](int64_t index, int worker) {
      const int64_t pair = begin_ + index;
      match_pair(first_of(pair), second_of(pair), with_matrix ? matrix(index) : nullptr, options_,
                 workspace_.workers[static_cast<size_t>(worker)], pair,
                 column_duals != nullptr ? column_duals + pair * patches : nullptr,
                 matches + pair * patches,
                 similarities != nullptr ? similarities + pair * patches : nullptr);
    };
    // By reference, here as below: copies of what they capture would be allocated.
    parallel_for_dynamic(end_ - begin_, workers, std::cref(match_one));
  }

 private:
  float* matrix(int64_t index) {
    return workspace_.similarity.data() + index * layout_.patches * layout_.patches;
  }

  const NormalizedFrame& frame_of(int64_t clip, int64_t frame) const {
    if (frame < 0) return workspace_.last_frames[static_cast<size_t>(clip)];
    if (is_kept(frame)) return workspace_.new_last_frames[static_cast<size_t>(clip)];
    return workspace_.frames[static_cast<size_t>(clip * layout_.frames + frame - first_frame_)];
  }
  const NormalizedFrame& first_of(int64_t pair) const {
    return frame_of(pairs_.clip(pair), pairs_.first(pair));
  }
  const NormalizedFrame& second_of(int64_t pair) const {
    return frame_of(pairs_.clip(pair), pairs_.second(pair));
  }
  // A last frame for the next part, which normalize_last_frames() has seen to.
  bool is_kept(int64_t frame) const { return part_.continues && frame == layout_.frames - 1; }

  void normalize() {
    auto& frames = workspace_.frames;
    frames.resize(std::max(frames.size(), static_cast<size_t>(frame_count_)));
    const int64_t frame_size = layout_.patches * channels_;
    const auto normalize_one = [&](int64_t index, int) {
      const int64_t row = first_frame_ + index;
      const int64_t frame = row % layout_.frames;
      if (is_kept(frame)) return;
      frames[static_cast<size_t>(index)].assign(features_ + row * frame_size, layout_.patches,
                                                channels_, channels_, part_.frames_before + frame,
                                                frame_product(options_));
    };
    parallel_for_dynamic(frame_count_, std::cref(normalize_one));
  }

  void multiply() {
    const int64_t patches = layout_.patches;
    workspace_.similarity.reserve(static_cast<size_t>((end_ - begin_) * patches * patches));
    // One pair alone is shared between more threads.
    const int64_t rows = end_ - begin_ > 1 ? kRowChunk : kRowChunk / 2;
    const int64_t chunks = (patches + rows - 1) / rows;
    const auto multiply_some = [&](int64_t task, int) {
      const int64_t index = task / chunks;
      const int64_t begin = task % chunks * rows;
      cosine_similarity(first_of(begin_ + index), begin, std::min(begin + rows, patches),
                        second_of(begin_ + index), matrix(index) + begin * patches);
    };
    parallel_for_dynamic((end_ - begin_) * chunks, std::cref(multiply_some));
  }

  const float* features_;
  const FramePairs& pairs_;
  const ClipLayout& layout_;
  const int64_t channels_;
  const AlignmentOptions& options_;
  const ClipPart& part_;
  AlignmentWorkspace& workspace_;
  const int64_t begin_;
  const int64_t end_;
  const int64_t first_frame_;
  const int64_t frame_count_;
};

void normalize_last_frames(const float* features, const ClipLayout& layout, int64_t channels,
                           const AlignmentOptions& options, const ClipPart& part,
                           std::vector<NormalizedFrame>& last) {
  last.resize(static_cast<size_t>(layout.clips));
  const int64_t frame_size = layout.patches * channels;
  const auto normalize_one = [&](int64_t clip, int) {
    const float* frame = features + ((clip + 1) * layout.frames - 1) * frame_size;
    last[static_cast<size_t>(clip)].assign(frame, layout.patches, channels, channels,
                                           part.frames_before + layout.frames - 1,
                                           frame_product(options));
  };
  parallel_for_dynamic(layout.clips, std::cref(normalize_one));
}

// Where the trajectories are in the first frame of a pair.
const int32_t* patches_before(const FramePairs& pairs, const AlignmentWorkspace& workspace,
                              const int32_t* trajectories, int64_t pair) {
  const int64_t clip = pairs.clip(pair), frame = pairs.first(pair), n = pairs.layout.patches;
  if (frame < 0) return workspace.last_patches.data() + clip * n;
  return trajectories + (clip * pairs.layout.frames + frame) * n;
}

// Follows the matches from frame to frame, and reorders similarities [pair, patch of its first
// frame] to trajectories [pair, n].
void follow(const FramePairs& pairs, AlignmentWorkspace& workspace, int32_t* trajectories,
            float* similarities) {
  const int64_t patches = pairs.layout.patches;
  workspace.row.reserve(static_cast<size_t>(patches));
  if (!pairs.joined) {
    for (int64_t clip = 0; clip < pairs.layout.clips; ++clip) {
      stay_in_place(1, patches, trajectories + clip * pairs.layout.frames * patches);
    }
  }
  for (int64_t pair = 0; pair < pairs.count(); ++pair) {
    const int32_t* now = patches_before(pairs, workspace, trajectories, pair);
    const int32_t* match = workspace.matches.data() + pair * patches;
    const int64_t frame = pairs.clip(pair) * pairs.layout.frames + pairs.second(pair);
    int32_t* next = trajectories + frame * patches;
    for (int64_t n = 0; n < patches; ++n) next[n] = match[now[n]];
    if (similarities == nullptr) continue;
    float* line = similarities + pair * patches;
    std::copy_n(line, patches, workspace.row.data());
    for (int64_t n = 0; n < patches; ++n) line[n] = workspace.row[static_cast<size_t>(now[n])];
  }
}

void keep_for_next_part(const ClipLayout& layout, const int32_t* trajectories,
                        AlignmentWorkspace& workspace) {
  workspace.last_patches.reserve(static_cast<size_t>(layout.clips * layout.patches));
  for (int64_t clip = 0; clip < layout.clips; ++clip) {
    std::copy_n(trajectories + ((clip + 1) * layout.frames - 1) * layout.patches, layout.patches,
                workspace.last_patches.data() + clip * layout.patches);
  }
  workspace.last_frames.swap(workspace.new_last_frames);
}

void check_part_before(const ClipLayout& layout, int64_t channels,
                       const AlignmentWorkspace& workspace) {
  const auto& last = workspace.last_frames;
  if (last.size() != static_cast<size_t>(layout.clips) || last[0].patches() != layout.patches ||
      last[0].channels() != channels) {
    fail(ATA_INTERNAL, "alignment: the clips go on where none like them ended");
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

void validate_trajectories(const AlignmentOptions& options, int64_t patches) {
  validate(options, patches);
  if (options.method == AlignmentMethod::kSoft) {
    fail(ATA_UNSUPPORTED, "soft alignment has no trajectories; choose another alignment");
  }
}

void align_features(const float* features, const ClipLayout& layout, int64_t channels,
                    const AlignmentOptions& options, AlignmentWorkspace& workspace,
                    int32_t* trajectories, float* similarities, double* column_duals,
                    const ClipPart& part) {
  validate_trajectories(options, layout.patches);
  const FramePairs pairs{layout, part.frames_before > 0};
  const bool stays = options.method == AlignmentMethod::kNone;
  if (!part.continues && (pairs.count() == 0 || (stays && similarities == nullptr))) {
    stay_in_place(layout.frame_count(), layout.patches, trajectories);
    return;
  }
  require(stays || (layout.patches >= 1 && layout.patches <= kMaxAssignmentExtent), "alignment of ",
          layout.patches, " patches a frame; it can align 1 to ", kMaxAssignmentExtent);
  if (pairs.joined) check_part_before(layout, channels, workspace);
  if (part.continues) {
    normalize_last_frames(features, layout, channels, options, part, workspace.new_last_frames);
  }
  workspace.workers.resize(std::max(workspace.workers.size(), static_cast<size_t>(thread_count())));
  workspace.matches.reserve(static_cast<size_t>(pairs.count() * layout.patches));
  const int64_t matrix_bytes =
      layout.patches * layout.patches * static_cast<int64_t>(sizeof(float));
  const int64_t group = std::max<int64_t>(1, kGroupBytes / matrix_bytes);
  for (int64_t begin = 0; begin < pairs.count(); begin += group) {
    PairGroup(features, pairs, channels, options, part, workspace, begin,
              std::min(begin + group, pairs.count()))
        .match(workspace.matches.data(), similarities, column_duals);
  }
  follow(pairs, workspace, trajectories, similarities);
  if (part.continues) keep_for_next_part(layout, trajectories, workspace);
}

}  // namespace ata
