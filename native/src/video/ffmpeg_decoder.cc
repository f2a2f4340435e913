#include "video/ffmpeg_decoder.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "base/error.h"
#include "base/log.h"

namespace ata::ffmpeg {

void FileDecoder::read(std::span<const double> times, const std::atomic<bool>* cancelled,
                       const FrameSink& sink) {
  cancelled_ = cancelled;
  const auto tick_of = [&](size_t i) { return clock_.tick_of(times[i]); };
  try {
    for (size_t first = 0; first < times.size();) {
      try {
        find(timeline_.at(tick_of(first)));
      } catch (const Disordered&) {
        learn_order();
        find(timeline_.at(tick_of(first)));
      }
      size_t end = first + 1;
      while (end < times.size() && (!next_ || tick_of(end) < timeline_.start(next_.rank))) ++end;
      sink({converter_->convert(*current_.frame), seconds(timeline_.start(current_.rank)), first,
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
  skip_before_ = 0;
  int64_t visited = 0;
  const auto visit_from_start = [&] {
    go_to_start();
    for (int64_t i = 0; current_; ++i) {
      if (i >= visited) {
        const int64_t start = timeline_.start(current_.rank);
        if (!visit(converter_->convert(*current_.frame), start, seconds(start))) return;
        ++visited;
      }
      next_ = decode();
      at_end_ = !next_;
      if (at_end_) break;
      current_ = std::move(next_);
      next_ = Ranked();
    }
    if (frames_missing()) fail_missing();
  };
  try {
    try {
      visit_from_start();
    } catch (const Disordered&) {
      learn_order();
      visit_from_start();
    }
  } catch (...) {
    position_known_ = false;
    throw;
  }
}

/// Makes current_ the frame `target`, or the last one before it if that cannot be shown, and next_
/// the one after it unless current_ is the last.
void FileDecoder::find(Rank target) {
  skip_before_ = may_skip_ ? target : 0;
  try {
    if (!position_known_ || target < current_.rank || seek_pays(target)) {
      go_near(target, timeline_.packets());
    }
    advance(target);
    return;
  } catch (const Damaged&) {
  }
  skip_before_ = 0;
  try {
    // Codecs may lose frames that follow the keyframe at which decoding began.
    go_near(target, started_at_);
    advance(target);
    return;
  } catch (const Damaged&) {
  }
  log(ATA_LOG_DEBUG,
      concat("'", demuxer_.path(), "': decoding from the start after a failed seek"));
  go_to_start();
  advance(target);
}

/// Whether starting at a keyframe gets to `target` by decoding less than going on would.
bool FileDecoder::seek_pays(Rank target) const {
  // A seek throws away what the codec's threads are working on, a few frames' worth.
  constexpr PacketNumber kLost = 4;
  if (next_ && next_.rank > target) return false;
  const PacketNumber key = timeline_.keyframe(target, timeline_.packets());
  return key > sent_ + kLost;
}

/// Makes current_ a frame at or before `target`, preferably close to it, by starting at a keyframe
/// before packet `key`.
void FileDecoder::go_near(Rank target, PacketNumber key) {
  constexpr int kAttempts = 4;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    key = timeline_.keyframe(target, key);
    if (key == kNone || key == timeline_.first_keyframe()) break;
    start_at(key);
    current_ = decode();
    if (current_ && current_.rank <= target) {
      position_known_ = true;
      return;
    }
  }
  go_to_start();
}

void FileDecoder::start_at(PacketNumber key) {
  forget_position();
  from_start_ = false;
  started_at_ = key;
  packets_.go_to(key);
  // Leading frames of a keyframe refer to frames before it.
  first_valid_ = timeline_.by_appearance() ? 0 : timeline_.rank_of(key);
  previous_ = previous_received_ = first_valid_ - 1;
}

void FileDecoder::go_to_start() {
  forget_position();
  packets_.restart();
  from_start_ = true;
  started_at_ = timeline_.first_keyframe();
  current_ = decode();
  if (!current_) fail_corrupt("no frame can be decoded");
  position_known_ = true;
}

void FileDecoder::forget_position() {
  avcodec_flush_buffers(codec_.get());
  current_ = Ranked();
  next_ = Ranked();
  received_.clear();
  position_known_ = at_end_ = draining_ = false;
  first_valid_ = 0;
  sent_ = previous_ = previous_received_ = last_skipped_ = kNone;
}

/// Decodes from current_ to `target`.
void FileDecoder::advance(Rank target) {
  for (;;) {
    if (!next_ && !at_end_) {
      next_ = decode();
      at_end_ = !next_;
    }
    if (!next_ || next_.rank > target) break;
    current_ = std::move(next_);
    next_ = Ranked();
  }
  if (current_.rank >= target) return;
  // The frame wanted was not shown.
  if (last_skipped_ > current_.rank) {
    // The one before it may be among those skipped.
    may_skip_ = false;
    throw Damaged();
  }
  const int64_t gap = timeline_.start(target) - timeline_.start(current_.rank);
  const bool missing = frames_missing() && gap > timeline_.step() + timeline_.step() / 2;
  if (!from_start_) throw Damaged();
  if (missing) fail_missing();
  // Its packet shows nothing: then others may show nothing either.
  if (timeline_.sorted_by_time()) throw Disordered();
}

/// Whether current_ is the last frame that can be decoded, but not the last that the packets show.
bool FileDecoder::frames_missing() const {
  const int64_t gap = timeline_.start(timeline_.last()) - timeline_.start(current_.rank);
  return !next_ && at_end_ && gap > timeline_.step() / 2 + Timeline::kParts;
}

/// The next frame in order; empty at the end.
FileDecoder::Ranked FileDecoder::decode() {
  if (received_.empty()) received_.push_back(receive());
  if (!received_.front()) return {};
  // A frame that is passed over either cannot be shown, or it comes later: then the times are
  // wrong.
  const Rank from = previous_ + 1;
  if (may_be_late(from, received_.front().rank)) {
    while (received_.size() <= Timeline::kMostReordered && received_.back()) {
      received_.push_back(receive());
    }
  }
  Ranked result = std::move(received_.front());
  received_.pop_front();
  previous_ = result.rank;
  const AVFrame& frame = *result.frame;
  if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) {
    log(ATA_LOG_WARNING,
        concat("'", demuxer_.path(), "': the frame at ", seconds(timeline_.start(result.rank)),
               " s is damaged; FFmpeg has filled it in"));
  }
  return result;
}

/// Whether frames from one rank to before another may still come.
bool FileDecoder::may_be_late(Rank from, Rank to) const {
  const bool first = previous_ == kNone;  // leading frames of the first keyframe cannot be shown
  return timeline_.sorted_by_time() && !first && std::max(from, skip_before_) < to;
}

/// The next frame that the codec shows; empty at the end.
FileDecoder::Ranked FileDecoder::receive() {
  for (;;) {
    Frame frame = make_frame();
    const int status = avcodec_receive_frame(codec_.get(), frame.get());
    if (status == AVERROR(EAGAIN) && !draining_) {
      send_packet();
      continue;
    }
    if (status == AVERROR_EOF || status == AVERROR(EAGAIN)) return {};
    if (status < 0) fail_decoding(status);
    Rank rank = rank_of(*frame);
    if (rank == kNone || rank > timeline_.last()) continue;
    if (rank < first_valid_) continue;
    if (rank <= previous_received_) {
      if (timeline_.sorted_by_time()) throw Disordered();
      if (!from_start_) throw Damaged();
      continue;
    }
    previous_received_ = rank;
    return {std::move(frame), rank};
  }
}

Rank FileDecoder::rank_of(const AVFrame& frame) const {
  if (!timeline_.by_appearance()) {
    return frame.pts == AV_NOPTS_VALUE ? previous_received_ + 1 : timeline_.rank_of(frame.pts);
  }
  // Frames that appear after the last packet count on.
  const Rank rank = frame.pkt_dts == AV_NOPTS_VALUE ? kNone : timeline_.rank_of(frame.pkt_dts);
  return std::max(rank, previous_received_ + 1);
}

void FileDecoder::check_cancelled() const {
  if (cancelled_ && cancelled_->load(std::memory_order_relaxed)) {
    fail(ATA_CANCELLED, "reading '", demuxer_.path(), "' was cancelled");
  }
}

/// Gives the codec the next packet, or the end of the stream.
void FileDecoder::send_packet() {
  PacketNumber number = kNone;
  do {
    check_cancelled();
    number = packets_.read(packet_.get());
    if (packets_.lost()) throw Damaged();
    if (number == kNone) {
      draining_ = true;
      avcodec_send_packet(codec_.get(), nullptr);
      return;
    }
    // An empty packet would end the stream.
  } while (number < timeline_.first_keyframe() || packet_->size == 0);
  sent_ = number;
  packet_->pts = packet_->dts = number;
  const Rank rank = timeline_.rank_of(number);
  const bool skip = rank != kNone && rank < skip_before_;
  codec_->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
  if (skip) last_skipped_ = std::max(last_skipped_, rank);
  const Listening listening(&demuxer_.complaints());
  const int status = avcodec_send_packet(codec_.get(), packet_.get());
  av_packet_unref(packet_.get());
  if (status < 0) fail_decoding(status);
}

void FileDecoder::fail_decoding(int status) {
  if (status == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (!from_start_) throw Damaged();
  fail_corrupt(error_text(status, demuxer_.complaints()));
}

void FileDecoder::fail_missing() const {
  fail_corrupt(concat("no frames follow, although it should last ", info_.duration, " s"));
}

void FileDecoder::fail_corrupt(const std::string& reason) const {
  fail(ATA_BAD_VIDEO, "'", demuxer_.path(), "' is corrupt ",
       previous_ != kNone ? concat("after ", seconds(timeline_.start(previous_)), " s")
                          : "at its start",
       ": ", reason, "; repair or re-encode it, for instance with `ffmpeg -i <file> <new file>`");
}

/// Decodes the file once to see in which order its frames are shown. Loses the position.
void FileDecoder::learn_order() {
  log(ATA_LOG_INFO, concat("'", demuxer_.path(),
                           "': its times do not tell the order of its frames; decoding it once"));
  std::vector<PacketNumber> shown;
  std::vector<bool> seen(static_cast<size_t>(timeline_.packets()));
  skip_before_ = 0;
  forget_position();
  packets_.restart();
  from_start_ = true;
  const Frame frame = make_frame();
  for (;;) {
    const int status = avcodec_receive_frame(codec_.get(), frame.get());
    if (status >= 0) {
      const PacketNumber number = frame->pts == AV_NOPTS_VALUE ? kNone : frame->pts;
      if (timeline_.rank_of(number) == kNone || seen[static_cast<size_t>(number)]) continue;
      seen[static_cast<size_t>(number)] = true;
      shown.push_back(number);
    } else if (status == AVERROR(EAGAIN) && !draining_) {
      try {
        send_packet();
      } catch (const Error& error) {
        if (error.status() != ATA_BAD_VIDEO) throw;
        // Damage: frames of the packets up to the next keyframe are unknown, those after it not.
        avcodec_flush_buffers(codec_.get());
        PacketNumber key = sent_;
        do ++key;
        while (key < timeline_.packets() && !timeline_.is_key(key));
        if (key == timeline_.packets()) break;
        packets_.go_to(key);
      }
    } else if (status == AVERROR_EOF || draining_) {
      break;
    } else if (status == AVERROR(ENOMEM)) {
      throw std::bad_alloc();
    }
  }
  if (shown.empty()) fail_corrupt("no frame can be decoded");
  timeline_.learn(shown);
  forget_position();
}

}  // namespace ata::ffmpeg
