#ifndef ATA_VIDEO_FFMPEG_TIMELINE_H_
#define ATA_VIDEO_FFMPEG_TIMELINE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "video/ffmpeg.h"
#include "video/ffmpeg_demuxer.h"
#include "video/frame_times.h"

namespace ata::ffmpeg {

/// Packets are numbered in the order of the file; frames are ranked in the order in which they are
/// shown.
using PacketNumber = int64_t;
using Rank = int64_t;
constexpr int64_t kNone = -1;

/// Every frame of a video: when it is shown, and which packet it comes from. Made from all packets
/// of the file, without decoding, so that a frame's place does not depend on what was read before.
///
/// Frames are ranked by presentation time where the packets' times are such as a codec that
/// reorders frames makes them (within each part of the file, where times start again). Codecs that
/// do not reorder show frames in the order of the file. Where packets have decoding times only
/// (AVI), or none (raw streams), frames are ranked by the packet that makes them appear. For
/// everything else (orderly() is false) only decoding the file tells the order: learn().
///
/// The times are then made to ascend by repair_times(). They are counted in 1 / kParts of the
/// stream's ticks, so that there is room between two ticks.
class Timeline {
 public:
  static constexpr int64_t kParts = 64;
  /// Most frames that a codec holds back to put them in order.
  static constexpr int64_t kMostReordered = 8;

  /// Reads all packets that the demuxer still has. `frame_ticks` is the duration of a frame as the
  /// container has it, in the stream's ticks. Throws ATA_UNSUPPORTED for too many packets.
  void scan(Demuxer& demuxer, int64_t frame_ticks);

  PacketNumber packets() const { return static_cast<PacketNumber>(packets_.size()); }
  /// Whether packets in the file's order, with the times they claim, tell the order of frames.
  bool orderly() const { return orderly_; }
  /// Whether the order was concluded from times, so that a codec's order may prove it wrong.
  bool sorted_by_time() const { return sorted_by_time_; }
  /// Whether frames are ranked by the packet that makes them appear.
  bool by_appearance() const { return by_appearance_; }
  /// Whether a packet's time tells which one it is.
  bool times_are_distinct() const { return times_are_distinct_; }

  /// Sets the order: the packets of the frames, as shown.
  void learn(const std::vector<PacketNumber>& shown);
  /// Says that `rank` is the first frame that can be shown. Second 0 is its start.
  void begin_at(Rank rank);

  /// Number of frames, and the last of them.
  int64_t frames() const { return static_cast<int64_t>(starts_.size()) - first_; }
  Rank last() const { return static_cast<Rank>(starts_.size()) - 1; }
  /// Start in parts of ticks from the first frame.
  int64_t start(Rank rank) const { return starts_[static_cast<size_t>(rank)] - origin_; }
  /// The last frame that starts at or before; the first one if none does.
  Rank at(int64_t start) const;
  /// Of the frame shown last, in parts of ticks; the usual distance of frames if unknown.
  int64_t last_duration() const;
  /// Usual distance of frames, in parts of ticks.
  int64_t step() const { return step_; }
  const TimeRepairs& repairs() const { return repairs_; }

  /// The frame that a packet holds, or kNone: it is not shown.
  Rank rank_of(PacketNumber packet) const;
  /// The last keyframe in the file's order before packet `before` by which `rank` can be reached;
  /// kNone if there is none.
  PacketNumber keyframe(Rank rank, PacketNumber before) const;
  PacketNumber first_keyframe() const { return first_key_; }
  bool is_key(PacketNumber packet) const { return packets_[static_cast<size_t>(packet)].key; }
  /// The number of a packet that was read after a seek, by its time; kNone if that does not tell.
  PacketNumber identify(const AVPacket& packet) const;
  /// Whether a packet may be that of this number.
  bool agrees(PacketNumber number, const AVPacket& packet) const;
  /// Presentation or decoding time; kNoTime if the packet has neither.
  int64_t time_of(PacketNumber packet) const;
  int64_t decoding_time_of(PacketNumber packet) const {
    return packets_[static_cast<size_t>(packet)].dts;
  }

 private:
  struct Entry {
    int64_t pts;
    int64_t dts;
    int32_t duration;
    bool key;
    bool shown;
  };

  void add(const AVPacket& packet, AVCodecID codec);
  void rank();
  bool sort();
  void set_ranks();
  void set_starts(bool by_dts);

  std::string path_;
  std::vector<Entry> packets_;
  std::vector<int32_t> order_;   // packet of each rank
  std::vector<int32_t> ranks_;   // of each packet; -1: not shown
  std::vector<int64_t> starts_;  // by rank
  std::vector<int32_t> keys_;    // keyframes in the file's order
  Rank first_ = 0;
  int64_t origin_ = 0;
  int64_t step_ = 1;
  int64_t container_step_ = 1;
  int64_t longest_step_ = INT64_MAX;
  int64_t last_duration_ = 0;
  PacketNumber first_key_ = 0;
  bool reorders_ = false;     // the codec may
  bool fixed_delay_ = false;  // it holds back one frame, always
  bool orderly_ = true;
  bool sorted_by_time_ = false;
  bool by_appearance_ = false;
  bool times_are_distinct_ = false;
  TimeRepairs repairs_;
};

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_TIMELINE_H_
