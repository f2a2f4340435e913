#ifndef ATA_VIDEO_KEPT_FRAMES_H_
#define ATA_VIDEO_KEPT_FRAMES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "video/plugin.h"

namespace ata {

/// Reads as another decoder does, but decodes all frames at the first read and answers from memory
/// from then on. A video that takes more memory than allowed, or cannot be decoded to its end, is
/// read through the other decoder instead: what read() gives never depends on which.
class KeptFrames : public FrameDecoder {
 public:
  /// `path` is what errors name; `limit`, in bytes, is for the pixels of all frames.
  KeptFrames(std::string path, std::unique_ptr<FrameDecoder> decoder, int64_t limit);

  const ata_video_info& info() const override { return info_; }
  void read(std::span<const double> times, const std::atomic<bool>* cancelled,
            const FrameSink& sink) override;
  void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) override;
  FrameClock clock() const override { return clock_; }

  /// What the frames kept take, in bytes: 0 before the first read, and where none are kept.
  int64_t bytes() const { return static_cast<int64_t>(frames_.size()) * frame_bytes_; }

 private:
  struct Kept {
    std::unique_ptr<uint8_t[]> rgb;
    int64_t start;  // in ticks of clock_
    double time;
  };

  void keep(const std::atomic<bool>* cancelled);
  size_t index_at(double time) const;
  void check(const std::atomic<bool>* cancelled) const;

  std::string path_;
  std::unique_ptr<FrameDecoder> decoder_;  // null once all frames are kept
  ata_video_info info_;
  FrameClock clock_;
  int64_t frame_bytes_;
  int64_t limit_;
  bool tried_ = false;  // keep() has come to its end
  std::vector<Kept> frames_;
};

}  // namespace ata

#endif  // ATA_VIDEO_KEPT_FRAMES_H_
