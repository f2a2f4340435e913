#ifndef ATA_VIDEO_FFMPEG_DECODER_H_
#define ATA_VIDEO_FFMPEG_DECODER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "ata/ata.h"
#include "video/ffmpeg.h"
#include "video/ffmpeg_converter.h"
#include "video/ffmpeg_demuxer.h"
#include "video/ffmpeg_packets.h"
#include "video/ffmpeg_timeline.h"
#include "video/plugin.h"

namespace ata::ffmpeg {

/// VideoPlugin::open_file.
std::unique_ptr<FrameDecoder> open_file(std::shared_ptr<const InputFile> file,
                                        const ata_video_options& options);

/// Makes an opened decoder. `parameters`, those of the stream, may be null where the packets say it
/// all; `threads` as in ata_video_options. Throws ATA_UNSUPPORTED if FFmpeg was built without the
/// codec.
CodecContext open_codec(const std::string& path, AVCodecID id, const AVCodecParameters* parameters,
                        int threads, Complaints& complaints);

/// Finds frames of a file by time.
///
/// A Timeline, made when the file is opened, has the place of every frame. Packets go through the
/// codec with their numbers in place of times, so that a frame that comes out is known by the
/// packet that it comes from and not by what its time claims.
///
/// Frames between two that are wanted are decoded one after another unless there is a keyframe that
/// saves decoding. What decoding from a keyframe yields is trusted only if its first frame is at or
/// before the one wanted and nothing fails to decode on the way; else decoding starts earlier, in
/// the end from the first frame. Where the codec's order proves the timeline wrong, the file is
/// decoded once to learn the order. So a frame never depends on how it was reached.
class FileDecoder : public FrameDecoder {
 public:
  FileDecoder(std::shared_ptr<const InputFile> file, const ata_video_options& options);

  const ata_video_info& info() const override { return info_; }
  void read(std::span<const double> times, const std::atomic<bool>* cancelled,
            const FrameSink& sink) override;
  void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) override;
  FrameClock clock() const override { return clock_; }

 private:
  struct Ranked {
    Frame frame;
    Rank rank = kNone;
    explicit operator bool() const { return frame != nullptr; }
  };
  /// Thrown within this class when decoding fails after a seek: the seek may be the cause.
  class Damaged {};
  /// Thrown within this class when the codec does not show the frames that the timeline has.
  class Disordered {};

  void describe();
  void set_extent(double container_rate, const std::string& damage);
  double claimed_duration() const;
  void say_repairs() const;
  void learn_order();

  void find(Rank target);
  bool seek_pays(Rank target) const;
  void go_near(Rank target, PacketNumber key);
  void go_to_start();
  void start_at(PacketNumber key);
  void forget_position();
  void advance(Rank target);
  bool frames_missing() const;
  Ranked decode();
  bool may_be_late(Rank from, Rank to) const;
  Ranked receive();
  Rank rank_of(const AVFrame& frame) const;
  void send_packet();
  void check_cancelled() const;
  double seconds(int64_t parts) const {
    return static_cast<double>(parts) / Timeline::kParts * tick_seconds_;
  }
  [[noreturn]] void fail_decoding(int status);
  [[noreturn]] void fail_missing() const;
  [[noreturn]] void fail_corrupt(const std::string& reason) const;

  Demuxer demuxer_;
  CodecContext codec_;
  Packet packet_;
  ata_video_info info_ = {};
  std::unique_ptr<FrameConverter> converter_;

  // The frames of the file.
  Timeline timeline_;
  PacketReader packets_;
  double tick_seconds_ = 0;
  FrameClock clock_;

  // The position: current_ is the frame found last, next_ the one after it if already decoded.
  Ranked current_;
  Ranked next_;
  std::deque<Ranked> received_;  // after next_
  bool position_known_ = false;  // decoding can go on after next_
  bool from_start_ = false;      // every frame since the first has been decoded
  bool at_end_ = false;          // nothing comes after next_
  bool draining_ = false;        // all packets have been sent
  PacketNumber started_at_ = 0;  // the first packet sent
  PacketNumber sent_ = kNone;    // the last one
  Rank first_valid_ = 0;         // frames before it refer to some that were not decoded
  Rank previous_ = kNone;        // the frame decoded last
  Rank previous_received_ = kNone;

  // Frames that no other frame refers to are not decoded if they come before skip_before_.
  bool may_skip_ = false;
  Rank skip_before_ = 0;
  Rank last_skipped_ = kNone;

  const std::atomic<bool>* cancelled_ = nullptr;  // during read() and walk()
};

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_DECODER_H_
