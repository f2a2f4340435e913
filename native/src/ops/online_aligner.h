#ifndef ATA_OPS_ONLINE_ALIGNER_H_
#define ATA_OPS_ONLINE_ALIGNER_H_

#include <cstdint>
#include <memory>
#include <span>

#include "alignment/alignment.h"
#include "ops/context.h"

namespace ata {

/// Aligns frames as they arrive, for live video: each frame extends the trajectories of those
/// before it, exactly as align() would over the whole clip. Memory does not grow with the number of
/// frames, and on the CPU a frame allocates nothing once all its buffers are there. One thread at a
/// time.
class OnlineAligner {
 public:
  /// Throws as validate_trajectories().
  OnlineAligner(Device& device, const AlignmentOptions& options, int64_t patches, int64_t channels);

  Device& device() const { return context_.stream->device; }
  int64_t patches() const { return layout_.patches; }

  /// Adds a frame, f32 `[patches, channels]`, of the host or of the device, finite; a frame that is
  /// refused leaves the aligner as it was.
  /// @return The patch of this frame on each trajectory; valid until the next call.
  std::span<const int32_t> push(const Tensor& frame);

  /// Cosine similarity of each trajectory's patches in the last two frames; empty before the second
  /// frame. Valid until the next push().
  std::span<const float> similarities() const;

  /// Number of frames seen since the beginning or the last reset().
  int64_t frame_count() const { return frame_count_; }

  /// Starts over: the next frame is the first.
  void reset();

 private:
  const Context context_;
  const AlignmentOptions options_;
  const ClipLayout layout_;
  const int64_t channels_;
  int64_t frame_count_ = 0;
  std::shared_ptr<AlignmentScratch> scratch_;
  // Of the last frame, in the device's memory and in the host's.
  Tensor patches_;
  Tensor similarities_;
  Tensor host_patches_;
  Tensor host_similarities_;
};

}  // namespace ata

#endif  // ATA_OPS_ONLINE_ALIGNER_H_
