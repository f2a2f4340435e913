#ifndef ATA_VIDEO_VIEWS_H_
#define ATA_VIDEO_VIEWS_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "tensor/tensor.h"
#include "video/plugin.h"
#include "video/transform.h"

namespace ata {

/// A clip as a model sees it.
struct SampledClip {
  Tensor clip;                ///< f32 [1, 3, T, size, size].
  std::vector<double> times;  ///< Of its T frames: starts in seconds.
};

/// Most memory that views that are begun take, in bytes.
constexpr int64_t kMaxViewBytes = int64_t{512} << 20;

/// Samples several views of a video one after another. A frame that several views show is decoded
/// once: views are filled as the video goes by. Those that are begun take at most `max_bytes` (but
/// there is at least one); where views need more at a time, the video goes by several times.
class ViewSampler {
 public:
  /// Throws what check_clip_options() and clip_times() throw. The decoder, of a video that errors
  /// call `path`, must outlive this object.
  ViewSampler(FrameDecoder& decoder, std::string path, std::vector<ata_clip_options> views,
              int64_t max_bytes = kMaxViewBytes);

  /// The next view, in the order in which they were given; nothing after the last. A call that
  /// throws can be repeated.
  std::optional<SampledClip> next(const std::atomic<bool>* cancelled);

 private:
  /// A frame of a view.
  struct Wanted {
    double time;
    size_t view;
    size_t frame;
  };
  class FrameQueue;

  void begin_pass();
  int64_t plan_pass(size_t end);
  void read(size_t end, const std::atomic<bool>* cancelled);

  FrameDecoder& decoder_;
  std::string path_;
  std::vector<ata_clip_options> views_;
  int64_t max_bytes_;
  size_t next_ = 0;

  // The pass: views pass_begin_ to pass_end_ are filled as the video goes by once.
  size_t pass_begin_ = 0;
  size_t pass_end_ = 0;
  std::vector<Wanted> wanted_;  // by time
  std::vector<size_t> needed_;  // how many of wanted_ complete a view and those before it
  size_t read_ = 0;             // how many of wanted_ were read
  std::vector<SampledClip> clips_;
  std::vector<std::optional<FrameTransform>> transforms_;  // of the views that are begun
};

}  // namespace ata

#endif  // ATA_VIDEO_VIEWS_H_
