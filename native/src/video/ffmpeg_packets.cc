#include "video/ffmpeg_packets.h"

#include "base/log.h"

namespace ata::ffmpeg {

void PacketReader::restart() {
  demuxer_.restart();
  holds_ = lost_ = false;
  next_ = 0;
}

void PacketReader::go_to(PacketNumber number) {
  if (next_ == number && !lost_) return;
  if (may_seek_ && timeline_.times_are_distinct() && seek(number)) return;
  restart();
  while (next_ < number && read(held_.get()) != kNone) {
  }
}

bool PacketReader::seek(PacketNumber number) {
  // Formats seek by presentation or by decoding time, and some not exactly.
  PacketNumber at = number;
  constexpr int kAttempts = 4;
  for (int attempt = 0; attempt < kAttempts && at != kNone; ++attempt) {
    const int64_t time = attempt == 0 ? timeline_.time_of(at) : timeline_.decoding_time_of(at);
    if (time != kNoTime) {
      if (!demuxer_.seek(time)) return false;
      holds_ = lost_ = false;
      if (find(number)) return true;
    }
    if (attempt > 0) at = timeline_.keyframe(INT32_MAX, at);
  }
  return false;
}

/// Reads, after a seek, up to packet `number`, so that it is the next one. False if that is not to
/// be found.
bool PacketReader::find(PacketNumber number) {
  // The first packets after a seek may lack their times.
  constexpr int kMostUnknown = 64;
  for (int unknown = 0; unknown < kMostUnknown && demuxer_.read(held_.get()); ++unknown) {
    next_ = timeline_.identify(*held_);
    if (next_ == kNone) continue;
    if (next_ > number) return false;
    holds_ = true;
    while (next_ < number) {
      if (read(held_.get()) == kNone || lost_) return false;
    }
    return true;
  }
  return false;
}

PacketNumber PacketReader::read(AVPacket* packet) {
  if (next_ == kNone || next_ >= timeline_.packets()) return kNone;
  if (holds_) {
    holds_ = false;
    if (packet != held_.get()) {
      av_packet_unref(packet);
      av_packet_move_ref(packet, held_.get());
    }
  } else {
    if (!demuxer_.read(packet)) return kNone;
    if (!timeline_.agrees(next_, *packet)) {
      if (may_seek_) {
        log(ATA_LOG_DEBUG,
            "'" + demuxer_.path() + "': packets differ after a seek; seeking no more");
      }
      may_seek_ = false;
      lost_ = true;
    }
  }
  return next_++;
}

}  // namespace ata::ffmpeg
