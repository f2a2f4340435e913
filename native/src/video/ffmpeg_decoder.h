#ifndef ATA_VIDEO_FFMPEG_DECODER_H_
#define ATA_VIDEO_FFMPEG_DECODER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ata/ata.h"
#include "video/ffmpeg.h"
#include "video/ffmpeg_converter.h"
#include "video/ffmpeg_demuxer.h"
#include "video/plugin.h"

namespace ata::ffmpeg {

/// VideoPlugin::open_file.
std::unique_ptr<FrameDecoder> open_file(const std::string& path, const ata_video_options& options);

/// Makes an opened decoder. `parameters`, those of the stream, may be null where the packets say it
/// all; `threads` as in ata_video_options. Throws ATA_UNSUPPORTED if FFmpeg was built without the
/// codec.
CodecContext open_codec(const std::string& path, AVCodecID id, const AVCodecParameters* parameters,
                        int threads);

/// Finds frames of a file by time.
///
/// Positions are in ticks of the stream's time base, from its own zero. A frame starts at its
/// presentation time; where the container stores none (AVI), at the decoding time of the packet
/// that made it appear; where there is neither (raw streams), one frame duration after the last.
/// The first frame defines second 0.
///
/// Frames between two times are decoded one after another unless the container's index knows a
/// later keyframe. What a seek yields is trusted only if its first frame is at or before the
/// position wanted and nothing fails to decode on the way; else the search starts earlier, in the
/// end from the first frame. So a frame never depends on how it was reached.
class FileDecoder : public FrameDecoder {
 public:
  FileDecoder(const std::string& path, const ata_video_options& options);

  const ata_video_info& info() const override { return info_; }
  void read(std::span<const double> times, const std::atomic<bool>* cancelled,
            const FrameSink& sink) override;
  void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) override;
  FrameClock clock() const override { return clock_; }

 private:
  struct Timed {
    Frame frame;
    int64_t start = 0;
    explicit operator bool() const { return frame != nullptr; }
  };
  /// What a walk over packets to the end of the file finds.
  struct Tail {
    int64_t packets = 0;
    int64_t last_start = INT64_MIN;  ///< Of the frame shown last; INT64_MIN if none has a time.
    int64_t last_duration = 0;       ///< Of that frame; 0 if its packet does not say.
  };
  class Damaged;

  void describe();
  void find_extent(double container_rate);
  Tail walk_to_end();
  int64_t indexed_frames() const;

  int64_t tick_of(double time) const { return origin_ + clock_.tick_of(time); }
  double seconds(int64_t ticks) const { return static_cast<double>(ticks) * tick_seconds_; }

  void find(int64_t target);
  bool seek_pays(int64_t target) const;
  void go_near(int64_t target);
  void go_to_start();
  void forget_position();
  void advance(int64_t target);
  bool frames_missing() const;
  Timed decode();
  void send_packet();
  void note_packet();
  [[noreturn]] void fail_decoding(int status) const;
  [[noreturn]] void fail_missing() const;
  [[noreturn]] void fail_corrupt(const std::string& reason) const;

  Demuxer demuxer_;
  CodecContext codec_;
  Packet packet_;
  ata_video_info info_ = {};
  std::unique_ptr<FrameConverter> converter_;

  // The timeline.
  double tick_seconds_ = 0;
  int64_t origin_ = 0;            // start of the first frame
  int64_t first_dts_ = 0;         // of the first packet
  bool has_start_times_ = false;  // packets carry presentation times
  bool has_times_ = false;        // packets carry presentation or decoding times
  int64_t frame_ticks_ = 1;       // duration of a frame where the file does not say
  FrameClock clock_;              // its ticks count from origin_
  int64_t last_start_ = 0;        // of the frame shown last, going by the packets

  // The position: current_ is the frame found last, next_ the one after it if already decoded.
  Timed current_;
  Timed next_;
  bool position_known_ = false;  // decoding can go on after next_
  bool from_start_ = false;      // every frame since the first has been decoded
  bool at_end_ = false;          // nothing comes after next_
  bool draining_ = false;        // all packets have been sent
  bool keyframe_sent_ = false;   // since the last jump
  bool first_packet_noted_ = false;
  int64_t previous_start_ = INT64_MIN;  // of the frame decoded last
  int64_t last_dts_ = INT64_MIN;        // of the packet sent last
  int64_t landing_dts_ = INT64_MIN;     // of the first packet sent after the last jump
  bool blind_seeks_pay_ = true;         // seeking ahead of the index has not led backwards yet

  // Frames that no other frame refers to are not decoded if they start before skip_before_.
  bool may_skip_ = false;
  int64_t skip_before_ = INT64_MIN;
  int64_t last_skipped_ = INT64_MIN;

  const std::atomic<bool>* cancelled_ = nullptr;  // during read()
};

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_DECODER_H_
