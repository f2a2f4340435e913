#include "alignment/online_aligner.h"

#include <functional>
#include <numeric>

#include "alignment/pair_matcher.h"
#include "base/error.h"
#include "base/threads.h"

namespace ata {

OnlineAligner::OnlineAligner(const AlignmentOptions& options, int64_t patches, int64_t channels)
    : options_(options), patches_(patches), channels_(channels) {
  require(patches >= 1 && patches <= kMaxAssignmentExtent && channels >= 1, "online alignment of ",
          patches, " patches of ", channels, " channels; it needs 1 to ", int{kMaxAssignmentExtent},
          " patches and at least one channel");
  validate(options, patches);
  if (options.method == AlignmentMethod::kSoft) {
    fail(ATA_UNSUPPORTED, "soft alignment has no trajectories; choose another alignment");
  }
  match_.resize(static_cast<size_t>(patches));
  match_similarity_.resize(static_cast<size_t>(patches));
  trajectories_.resize(static_cast<size_t>(patches));
  reset();
}

void OnlineAligner::reset() {
  frame_count_ = 0;
  similarities_.clear();
  std::iota(trajectories_.begin(), trajectories_.end(), 0);
}

std::span<const int32_t> OnlineAligner::push(const float* features) {
  NormalizedFrame& next = frames_[frame_count_ % 2];
  next.assign(features, patches_, channels_, channels_, frame_count_, frame_product(options_));
  if (frame_count_ > 0) {
    const NormalizedFrame& now = frames_[(frame_count_ + 1) % 2];
    if (options_.method == AlignmentMethod::kNone) {
      for (int32_t n = 0; n < patches_; ++n) {
        const auto at = static_cast<size_t>(n);
        match_[at] = n;
        cosine_similarities_of(now, n, next, {&match_[at], 1}, &match_similarity_[at]);
      }
    } else {
      const float* matrix = nullptr;
      if (needs_similarity_matrix(options_.method)) {
        similarity_.reserve(static_cast<size_t>(patches_ * patches_));
        const auto multiply = [&](int64_t begin, int64_t end) {
          cosine_similarity(now, begin, end, next, similarity_.data() + begin * patches_);
        };
        // By reference: a copy of what it captures would be allocated for every frame.
        parallel_for(patches_, 48, std::cref(multiply));
        matrix = similarity_.data();
      }
      match_pair(now, next, matrix, options_, workspace_, frame_count_ - 1, nullptr, match_.data(),
                 match_similarity_.data());
    }
    similarities_.resize(trajectories_.size());
    for (size_t n = 0; n < trajectories_.size(); ++n) {
      const auto patch = static_cast<size_t>(trajectories_[n]);
      similarities_[n] = match_similarity_[patch];
      trajectories_[n] = match_[patch];
    }
  }
  ++frame_count_;
  return trajectories_;
}

}  // namespace ata
