#include "video/ffmpeg_decoder.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "base/error.h"
#include "base/log.h"

namespace ata::ffmpeg {

/// Thrown within this file when decoding fails after a seek: the seek may be the cause.
class FileDecoder::Damaged {};

void FileDecoder::read(std::span<const double> times, const std::atomic<bool>* cancelled,
                       const FrameSink& sink) {
  cancelled_ = cancelled;
  try {
    for (size_t first = 0; first < times.size();) {
      find(tick_of(times[first]));
      size_t end = first + 1;
      while (end < times.size() && (!next_ || tick_of(times[end]) < next_.start)) ++end;
      sink({converter_->convert(*current_.frame), seconds(current_.start - origin_), first,
            end - first});
      first = end;
    }
  } catch (...) {
    position_known_ = false;
    throw;
  }
}

void FileDecoder::walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) {
  cancelled_ = cancelled;
  skip_before_ = INT64_MIN;
  try {
    go_to_start();
    for (;;) {
      const int64_t start = current_.start - origin_;
      if (!visit(converter_->convert(*current_.frame), start, seconds(start))) return;
      next_ = decode();
      at_end_ = !next_;
      if (at_end_) break;
      current_ = std::move(next_);
      next_ = Timed();
    }
    if (frames_missing()) fail_missing();
  } catch (...) {
    position_known_ = false;
    throw;
  }
}

/// Makes current_ the last frame that starts at or before `target`, and next_ the one after it
/// unless current_ is the last.
void FileDecoder::find(int64_t target) {
  // Four frames are a margin for uneven frame times; advance() checks that it was enough.
  skip_before_ = may_skip_ ? target - 4 * frame_ticks_ : INT64_MIN;
  try {
    if (!position_known_ || target < current_.start || seek_pays(target)) go_near(target);
    advance(target);
  } catch (const Damaged&) {
    log(ATA_LOG_DEBUG,
        concat("'", demuxer_.path(), "': decoding from the start after a failed seek"));
    skip_before_ = INT64_MIN;
    go_to_start();
    advance(target);
  }
}

/// Whether seeking to `target` gets there by decoding less than going on would.
bool FileDecoder::seek_pays(int64_t target) const {
  const bool nothing_ahead = at_end_ && !next_;
  if (!has_times_ || nothing_ahead || last_dts_ == INT64_MIN) return false;
  AVStream* stream = demuxer_.stream();
  // A seek throws away what the codec's threads are working on, a few frames' worth.
  const int64_t ahead = last_dts_ + 4 * frame_ticks_;
  // Indexes go by decoding time, which precedes presentation by the codec's reordering.
  const int64_t latest = target - stream->codecpar->video_delay * frame_ticks_;
  const AVIndexEntry* keyframe =
      avformat_index_get_entry_from_timestamp(stream, latest, AVSEEK_FLAG_BACKWARD);
  if (keyframe && keyframe->timestamp > ahead) return true;
  const int entries = avformat_index_get_entries_count(stream);
  if (entries > 0 && avformat_index_get_entry(stream, entries - 1)->timestamp > ahead) return false;
  // Some formats have no index, or one that grows as the file is read.
  constexpr double kBlindSeconds = 5;
  return blind_seeks_pay_ && seconds(target - current_.start) > kBlindSeconds;
}

/// Makes current_ a frame at or before `target`, preferably close to it.
void FileDecoder::go_near(int64_t target) {
  const int64_t dts_before = position_known_ ? last_dts_ : INT64_MIN;
  int64_t wanted = target;
  constexpr int kAttempts = 4;
  for (int attempt = 0; attempt < kAttempts && has_times_; ++attempt) {
    if (!demuxer_.seek(wanted)) break;
    forget_position();
    from_start_ = false;
    current_ = decode();
    if (current_ && current_.start <= target) {
      position_known_ = true;
      if (dts_before != INT64_MIN && target > dts_before && landing_dts_ <= dts_before) {
        blind_seeks_pay_ = false;
      }
      return;
    }
    // Seeking goes by decoding times, which precede presentation times, and leading frames of a
    // keyframe cannot be decoded: the keyframe before this one is needed.
    wanted = (landing_dts_ == INT64_MIN ? wanted : std::min(wanted, landing_dts_)) - 1;
  }
  go_to_start();
}

void FileDecoder::go_to_start() {
  demuxer_.restart();
  forget_position();
  from_start_ = true;
  current_ = decode();
  if (!current_) fail_corrupt("no frame can be decoded");
  position_known_ = true;
}

void FileDecoder::forget_position() {
  avcodec_flush_buffers(codec_.get());
  current_ = Timed();
  next_ = Timed();
  position_known_ = at_end_ = draining_ = keyframe_sent_ = false;
  previous_start_ = last_dts_ = landing_dts_ = last_skipped_ = INT64_MIN;
}

/// Decodes from current_ to `target`.
void FileDecoder::advance(int64_t target) {
  for (;;) {
    if (!next_ && !at_end_) {
      next_ = decode();
      at_end_ = !next_;
    }
    if (!next_ || next_.start > target) break;
    current_ = std::move(next_);
    next_ = Timed();
  }
  if (last_skipped_ > current_.start) {
    // The frame wanted may be among those skipped: frame times are too uneven for skipping.
    may_skip_ = false;
    skip_before_ = INT64_MIN;
    go_near(target);
    advance(target);
    return;
  }
  if (frames_missing() && target > current_.start + frame_ticks_ + frame_ticks_ / 2) {
    if (!from_start_) throw Damaged();
    fail_missing();
  }
}

/// Whether current_ is the last frame that can be decoded, but not the last that the packets show.
bool FileDecoder::frames_missing() const {
  return !next_ && current_.start < last_start_ - frame_ticks_ / 2 - 1;
}

/// The next frame in order of presentation; empty at the end.
FileDecoder::Timed FileDecoder::decode() {
  Timed result = {make_frame(), 0};
  for (;;) {
    const int status = avcodec_receive_frame(codec_.get(), result.frame.get());
    if (status == AVERROR(EAGAIN) && !draining_) {
      send_packet();
    } else if (status == AVERROR_EOF || status == AVERROR(EAGAIN)) {
      return {};
    } else if (status < 0) {
      fail_decoding(status);
    } else {
      break;
    }
  }
  const AVFrame& frame = *result.frame;
  int64_t start = frame.pts != AV_NOPTS_VALUE ? frame.pts : frame.pkt_dts;
  const bool first = previous_start_ == INT64_MIN;
  if (!has_times_ || start == AV_NOPTS_VALUE) start = first ? 0 : previous_start_ + frame_ticks_;
  start = std::clamp(start, -kMaxTick, kMaxTick);
  // Presentation times that do not ascend are wrong; order is what counts.
  if (!first && start <= previous_start_) start = previous_start_ + 1;
  previous_start_ = start;
  result.start = start;
  if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) {
    log(ATA_LOG_WARNING, concat("'", demuxer_.path(), "': the frame at ", seconds(start - origin_),
                                " s is damaged; FFmpeg has filled it in"));
  }
  return result;
}

/// Gives the codec the next packet, or the end of the stream.
void FileDecoder::send_packet() {
  for (;;) {
    if (cancelled_ && cancelled_->load(std::memory_order_relaxed)) {
      fail(ATA_CANCELLED, "reading '", demuxer_.path(), "' was cancelled");
    }
    if (!demuxer_.read(packet_.get())) {
      draining_ = true;
      avcodec_send_packet(codec_.get(), nullptr);
      return;
    }
    // What precedes the first keyframe after a jump refers to frames that were not decoded.
    keyframe_sent_ |= (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    if (keyframe_sent_) break;
  }
  note_packet();
  const int status = avcodec_send_packet(codec_.get(), packet_.get());
  av_packet_unref(packet_.get());
  if (status < 0) fail_decoding(status);
}

void FileDecoder::note_packet() {
  const AVPacket& packet = *packet_;
  if (!first_packet_noted_) {
    first_packet_noted_ = true;
    has_start_times_ = packet.pts != AV_NOPTS_VALUE;
    has_times_ = has_start_times_ || packet.dts != AV_NOPTS_VALUE;
    first_dts_ = packet.dts != AV_NOPTS_VALUE ? packet.dts : 0;
  }
  const int64_t dts = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
  if (dts != AV_NOPTS_VALUE) {
    last_dts_ = dts;
    if (landing_dts_ == INT64_MIN) landing_dts_ = dts;
  }
  const bool skip = packet.pts != AV_NOPTS_VALUE && packet.pts < skip_before_;
  codec_->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
  if (skip) last_skipped_ = std::max(last_skipped_, packet.pts);
}

void FileDecoder::fail_decoding(int status) const {
  if (status == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (!from_start_) throw Damaged();
  fail_corrupt(error_text(status));
}

void FileDecoder::fail_missing() const {
  fail_corrupt(concat("no frames follow, although it should last ", info_.duration, " s"));
}

void FileDecoder::fail_corrupt(const std::string& reason) const {
  const bool begun = previous_start_ != INT64_MIN;
  fail(ATA_BAD_VIDEO, "'", demuxer_.path(), "' is corrupt ",
       begun ? concat("after ", seconds(previous_start_ - origin_), " s") : "at its start", ": ",
       reason, "; repair or re-encode it, for instance with `ffmpeg -i <file> <new file>`");
}

}  // namespace ata::ffmpeg
