#ifndef ATA_ALIGNMENT_ONLINE_ALIGNER_H_
#define ATA_ALIGNMENT_ONLINE_ALIGNER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "alignment/alignment.h"

namespace ata {

/// Aligns frames as they arrive, for live video: each frame extends the trajectories of those
/// before it, exactly as align_features() would over the whole clip. Memory does not grow with the
/// number of frames. One thread at a time.
class OnlineAligner {
 public:
  /// Throws as validate(); `soft` is ATA_UNSUPPORTED.
  OnlineAligner(const AlignmentOptions& options, int64_t patches, int64_t channels);

  /// Adds a frame, f32 `[patches, channels]`, contiguous, finite; a frame that is refused leaves
  /// the aligner as it was.
  /// @return The patch of this frame on each trajectory; valid until the next call.
  std::span<const int32_t> push(const float* features);

  /// Cosine similarity of each trajectory's patches in the last two frames; empty before the second
  /// frame. Valid until the next push().
  std::span<const float> similarities() const { return similarities_; }

  /// Number of frames seen since the beginning or the last reset().
  int64_t frame_count() const { return frame_count_; }

  /// Starts over: the next frame is the first.
  void reset();

 private:
  const AlignmentOptions options_;
  const int64_t patches_;
  const int64_t channels_;
  int64_t frame_count_ = 0;
  NormalizedFrame frames_[2];
  AlignedBuffer<float> similarity_;
  MatchWorkspace workspace_;
  std::vector<int32_t> match_;
  std::vector<float> match_similarity_;
  std::vector<int32_t> trajectories_;
  std::vector<float> similarities_;
};

}  // namespace ata

#endif  // ATA_ALIGNMENT_ONLINE_ALIGNER_H_
