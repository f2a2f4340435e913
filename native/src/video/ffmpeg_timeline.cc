#include "video/ffmpeg_timeline.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/log.h"

namespace ata::ffmpeg {
namespace {

/// More than two days at 50 frames a second; bounds the memory that a file can make us take.
constexpr size_t kMaxPackets = size_t{1} << 23;

int64_t checked_time(int64_t time) {
  constexpr int64_t kLimit = (kMaxTick >> 1) / Timeline::kParts;
  return time == AV_NOPTS_VALUE || time < -kLimit || time > kLimit ? kNoTime : time;
}

/// VP8's alternate reference frames are packets that only other frames need.
bool is_hidden(AVCodecID codec, const AVPacket& packet) {
  return codec == AV_CODEC_ID_VP8 && packet.size > 0 && (packet.data[0] & 0x10) == 0;
}

}  // namespace

void Timeline::scan(Demuxer& demuxer, int64_t frame_ticks) {
  path_ = demuxer.path();
  const AVStream* stream = demuxer.stream();
  const AVCodecID codec = stream->codecpar->codec_id;
  const AVCodecDescriptor* properties = avcodec_descriptor_get(codec);
  reorders_ = properties && (properties->props & AV_CODEC_PROP_REORDER) != 0;
  fixed_delay_ = codec == AV_CODEC_ID_MPEG1VIDEO || codec == AV_CODEC_ID_MPEG2VIDEO ||
                 codec == AV_CODEC_ID_MPEG4;
  container_step_ = std::min(frame_ticks, int64_t{1} << 40) * kParts;
  // Of formats made to be cut and joined, the `ffmpeg` program takes steps ahead as this too.
  constexpr double kLongestStep = 10;  // seconds
  if (demuxer.format()->iformat->flags & AVFMT_TS_DISCONT) {
    longest_step_ = std::llround(kLongestStep * kParts / av_q2d(stream->time_base));
  }
  const Packet packet = make_packet();
  while (demuxer.read(packet.get())) add(*packet, codec);
  rank();
}

void Timeline::add(const AVPacket& packet, AVCodecID codec) {
  if (packets_.size() == kMaxPackets) {
    fail(ATA_UNSUPPORTED, "'", path_, "' has more than ", kMaxPackets,
         " frames; cut it into shorter videos");
  }
  const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  if (key) keys_.push_back(static_cast<int32_t>(packets_.size()));
  // What precedes the first keyframe refers to frames that are not there.
  const bool shown = !keys_.empty() && packet.size > 0 &&
                     (packet.flags & AV_PKT_FLAG_DISCARD) == 0 && !is_hidden(codec, packet);
  const auto duration = static_cast<int32_t>(std::clamp<int64_t>(packet.duration, 0, INT32_MAX));
  packets_.push_back({checked_time(packet.pts), checked_time(packet.dts), duration, key, shown});
}

void Timeline::rank() {
  first_key_ = keys_.empty() ? 0 : keys_.front();
  int64_t shown = 0, presented = 0, decoded = 0;
  for (const Entry& entry : packets_) {
    if (!entry.shown) continue;
    ++shown;
    presented += entry.pts != kNoTime;
    decoded += entry.dts != kNoTime;
    order_.push_back(static_cast<int32_t>(&entry - packets_.data()));
  }
  if (!reorders_) {
    set_ranks();
    set_starts(presented == 0);
  } else if (presented == shown) {
    sorted_by_time_ = orderly_ = sort();
    set_ranks();
    set_starts(false);
  } else if (presented == 0 || (fixed_delay_ && decoded == shown)) {
    by_appearance_ = true;
    set_ranks();
    set_starts(true);
  } else {
    orderly_ = false;
    set_ranks();
    set_starts(false);
  }
  // By decoding times alone it is not known which packet holds the frame that appears, unless the
  // codec always holds back one frame.
  times_are_distinct_ &= sorted_by_time_ || !reorders_ || (by_appearance_ && fixed_delay_);
}

/// Sorts by presentation time each part of the file after whose beginning times start again.
/// Returns whether the result is an order that a codec may have made.
bool Timeline::sort() {
  const auto pts = [this](int32_t packet) { return packets_[static_cast<size_t>(packet)].pts; };
  std::vector<int32_t> sorted = order_;
  size_t begin = 0;
  int64_t last_key = kNoTime;
  for (size_t end = 0; end <= sorted.size(); ++end) {
    if (end < sorted.size()) {
      const Entry& entry = packets_[static_cast<size_t>(order_[end])];
      const bool starts_again = entry.key && last_key != kNoTime && entry.pts <= last_key;
      if (entry.key) last_key = entry.pts;
      if (!starts_again) continue;
    }
    const auto first = sorted.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(end);
    std::sort(first, last,
              [&pts](int32_t a, int32_t b) { return pts(a) != pts(b) ? pts(a) < pts(b) : a < b; });
    for (size_t i = begin; i < end; ++i) {
      if (i > begin && pts(sorted[i]) == pts(sorted[i - 1])) return false;
      // A frame waits for few others, and few others for it.
      const auto position = std::lower_bound(order_.begin(), order_.end(), sorted[i]);
      const auto distance = position - order_.begin() - static_cast<std::ptrdiff_t>(i);
      if (std::abs(distance) > kMostReordered) return false;
    }
    begin = end;
  }
  order_ = std::move(sorted);
  return true;
}

void Timeline::learn(const std::vector<PacketNumber>& shown) {
  order_.clear();
  for (const PacketNumber packet : shown) order_.push_back(static_cast<int32_t>(packet));
  orderly_ = true;
  sorted_by_time_ = by_appearance_ = false;
  set_ranks();
  set_starts(false);
  // A frame that was the first stays the first.
  begin_at(0);
}

void Timeline::set_ranks() {
  ranks_.assign(packets_.size(), -1);
  for (size_t i = 0; i < order_.size(); ++i) {
    int32_t& rank = ranks_[static_cast<size_t>(order_[i])];
    if (rank < 0) rank = static_cast<int32_t>(i);
  }
}

void Timeline::set_starts(bool by_dts) {
  starts_.clear();
  starts_.reserve(order_.size());
  for (const int32_t packet : order_) {
    const Entry& entry = packets_[static_cast<size_t>(packet)];
    const int64_t time = by_dts ? entry.dts : entry.pts;
    starts_.push_back(time == kNoTime ? kNoTime : time * kParts);
  }
  step_ = usual_step(starts_, container_step_);
  repairs_ = repair_times(starts_, step_, longest_step_);
  times_are_distinct_ = !repairs_.any();
  // A format that has no times at all is not at fault.
  if (repairs_.missing == static_cast<int64_t>(starts_.size())) repairs_ = {};
  last_duration_ = order_.empty() ? 0 : packets_[static_cast<size_t>(order_.back())].duration;
  origin_ = starts_.empty() ? 0 : starts_.front();
}

void Timeline::begin_at(Rank rank) {
  if (by_appearance_) {
    // As many frames as the codec holds back at the beginning appear after the last packet.
    for (Rank i = 0; i < rank; ++i) starts_.push_back(starts_.back() + step_);
  }
  first_ = rank;
  origin_ = starts_[static_cast<size_t>(rank)];
}

Rank Timeline::at(int64_t start) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), start + origin_);
  return std::max<Rank>(0, after - starts_.begin() - 1);
}

int64_t Timeline::last_duration() const {
  return last_duration_ > 0 ? last_duration_ * kParts : step_;
}

Rank Timeline::rank_of(PacketNumber packet) const {
  return packet < 0 || packet >= packets() ? kNone : ranks_[static_cast<size_t>(packet)];
}

PacketNumber Timeline::keyframe(Rank rank, PacketNumber before) const {
  // With which packet a frame appears then depends on where decoding began.
  if (by_appearance_ && !fixed_delay_) return kNone;
  auto key = std::lower_bound(keys_.begin(), keys_.end(), before);
  while (key != keys_.begin()) {
    --key;
    const int32_t first = ranks_[static_cast<size_t>(*key)];
    if (first >= 0 && first <= rank) return *key;
  }
  return kNone;
}

int64_t Timeline::time_of(PacketNumber packet) const {
  const Entry& entry = packets_[static_cast<size_t>(packet)];
  return entry.pts != kNoTime ? entry.pts : entry.dts;
}

PacketNumber Timeline::identify(const AVPacket& packet) const {
  if (!times_are_distinct_) return kNone;
  const int64_t time = by_appearance_ || packet.pts == AV_NOPTS_VALUE ? packet.dts : packet.pts;
  if (checked_time(time) == kNoTime) return kNone;
  const auto found = std::lower_bound(starts_.begin(), starts_.end(), time * kParts);
  const auto rank = static_cast<size_t>(found - starts_.begin());
  if (found == starts_.end() || *found != time * kParts || rank >= order_.size()) return kNone;
  const PacketNumber number = order_[rank];
  return agrees(number, packet) ? number : kNone;
}

bool Timeline::agrees(PacketNumber number, const AVPacket& packet) const {
  const Entry& entry = packets_[static_cast<size_t>(number)];
  const int64_t pts = checked_time(packet.pts), dts = checked_time(packet.dts);
  const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  if (key != entry.key) return false;
  if (entry.pts != kNoTime && pts != kNoTime) return entry.pts == pts;
  return entry.dts == kNoTime || dts == kNoTime || entry.dts == dts;
}

}  // namespace ata::ffmpeg
