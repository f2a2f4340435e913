#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/log.h"
#include "video/ffmpeg_decoder.h"

// Opening a file: what it holds, how long it lasts.

namespace ata::ffmpeg {
namespace {

bool plausible_rate(AVRational rate) {
  return rate.num > 0 && rate.den > 0 && av_q2d(rate) >= 1e-3 && av_q2d(rate) <= 1e5;
}

/// The stream's display matrix, or else the frame's, or null.
const int32_t* display_matrix(const AVStream* stream, const AVFrame* frame) {
  const uint8_t* data = nullptr;
  size_t size = 0;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
  const AVPacketSideData* side =
      av_packet_side_data_get(stream->codecpar->coded_side_data,
                              stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  if (side) {
    data = side->data;
    size = side->size;
  }
#else
  data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  if (!data) {
    const AVFrameSideData* from_frame = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (from_frame) {
      data = from_frame->data;
      size = from_frame->size;
    }
  }
  return data && size >= 9 * sizeof(int32_t) ? reinterpret_cast<const int32_t*>(data) : nullptr;
}

/// Codecs in which a frame marked as unreferenced is one that no other frame needs. (In HEVC the
/// mark holds within one temporal layer only.)
bool marks_unreferenced_frames(AVCodecID codec) {
  return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_MPEG2VIDEO || codec == AV_CODEC_ID_MPEG4;
}

}  // namespace

CodecContext open_codec(const std::string& path, AVCodecID id, const AVCodecParameters* parameters,
                        int threads) {
  if (id == AV_CODEC_ID_NONE) {
    fail(ATA_BAD_VIDEO, "'", path, "' is coded in a way that FFmpeg does not know");
  }
  const AVCodec* codec = avcodec_find_decoder(id);
  if (!codec) {
    fail(ATA_UNSUPPORTED, "'", path, "' is coded as ", avcodec_get_name(id),
         ", which the installed FFmpeg cannot decode; convert the video to H.264 or install an "
         "FFmpeg with that codec");
  }
  CodecContext context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  int status = parameters ? avcodec_parameters_to_context(context.get(), parameters) : 0;
  if (status >= 0) {
    context->thread_count = threads;
    context->max_pixels = kMaxPixels;
    status = avcodec_open2(context.get(), codec, nullptr);
  }
  if (status < 0) {
    fail(ATA_BAD_VIDEO, "'", path, "' cannot be decoded as ", avcodec_get_name(id), ": ",
         error_text(status));
  }
  return context;
}

std::unique_ptr<FrameDecoder> open_file(const std::string& path, const ata_video_options& options) {
  return std::make_unique<FileDecoder>(path, options);
}

FileDecoder::FileDecoder(const std::string& path, const ata_video_options& options)
    : demuxer_(path), packet_(make_packet()) {
  const AVCodecParameters* parameters = demuxer_.stream()->codecpar;
  if (parameters->width > 0 || parameters->height > 0) {
    check_size(path, parameters->width, parameters->height);
  }
  codec_ = open_codec(path, parameters->codec_id, parameters, options.threads);
  describe();
}

void FileDecoder::describe() {
  const AVStream* stream = demuxer_.stream();
  tick_seconds_ = av_q2d(stream->time_base);
  if (!(tick_seconds_ > 0)) fail_corrupt("it has no time base");
  AVRational rate = stream->avg_frame_rate;
  if (!plausible_rate(rate)) rate = stream->r_frame_rate;
  if (!plausible_rate(rate)) {
    rate = {25, 1};
    log(ATA_LOG_WARNING,
        concat("'", demuxer_.path(), "' does not say its frame rate, which is taken as 25"));
  }
  frame_ticks_ = std::max<int64_t>(1, std::llround(1 / (av_q2d(rate) * tick_seconds_)));

  position_known_ = from_start_ = true;
  current_ = decode();
  if (!current_) {
    const std::string& damage = demuxer_.damage();
    fail(ATA_BAD_VIDEO, "'", demuxer_.path(), "' has no frame that can be decoded",
         damage.empty() ? "" : ": ", damage);
  }
  origin_ = current_.start;

  const AVFrame& frame = *current_.frame;
  const AVRational aspect =
      av_guess_sample_aspect_ratio(demuxer_.format(), demuxer_.stream(), current_.frame.get());
  const Geometry geometry =
      geometry_of(demuxer_.path(), frame, aspect, display_matrix(stream, &frame));
  converter_ = std::make_unique<FrameConverter>(demuxer_.path(), geometry);
  info_.width = geometry.shown_width();
  info_.height = geometry.shown_height();
  info_.rotation = 90 * geometry.orientation.quarter_turns;
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  info_.bit_depth = format ? format->comp[0].depth : 8;
  std::strncpy(info_.codec, avcodec_get_name(codec_->codec_id), sizeof(info_.codec) - 1);
  find_extent(av_q2d(rate));
  may_skip_ = has_start_times_ && marks_unreferenced_frames(codec_->codec_id);
}

/// Frames that an MP4's complete index shows, or 0 if that is not known.
int64_t FileDecoder::indexed_frames() const {
  const AVStream* stream = demuxer_.stream();
  const int count = avformat_index_get_entries_count(stream);
  const bool is_mp4 = std::strstr(demuxer_.format()->iformat->name, "mp4") != nullptr;
  if (!is_mp4 || stream->nb_frames <= 0 || count < stream->nb_frames) return 0;
  int64_t shown = 0;
  for (int i = 0; i < count; ++i) {
    // Edit lists cut frames that are only decoded.
    const AVIndexEntry* entry = avformat_index_get_entry(demuxer_.stream(), i);
    shown += !(entry->flags & AVINDEX_DISCARD_FRAME);
  }
  return shown;
}

FileDecoder::Tail FileDecoder::walk_to_end() {
  Tail tail;
  while (demuxer_.read(packet_.get())) {
    if (packet_->flags & AV_PKT_FLAG_DISCARD) continue;
    ++tail.packets;
    const int64_t start = has_start_times_ ? packet_->pts : packet_->dts;
    if (start == AV_NOPTS_VALUE || start < -kMaxTick || start > kMaxTick) continue;
    if (start >= tail.last_start) {
      tail.last_start = start;
      tail.last_duration = std::clamp<int64_t>(packet_->duration, 0, kMaxTick);
    }
  }
  return tail;
}

/// Sets duration, rate and number of frames from the packets at the end of the file, because
/// headers are often wrong about files that were cut. Loses the position.
void FileDecoder::find_extent(double container_rate) {
  const AVStream* stream = demuxer_.stream();
  position_known_ = false;
  Tail tail;
  if (has_times_ && demuxer_.seek(kMaxTick)) {
    tail = walk_to_end();
    // The frame shown last need not be the packet that comes last, and after a seek the first
    // packets of some formats have no times: see enough of them.
    constexpr int64_t kEnough = 32;
    if (tail.packets < kEnough && tail.last_start != INT64_MIN) {
      const bool sought = demuxer_.seek(tail.last_start - kEnough * frame_ticks_);
      tail = sought ? walk_to_end() : Tail();
    }
  }
  const bool walked_all = tail.last_start == INT64_MIN;
  if (walked_all) {
    demuxer_.restart();
    stream = demuxer_.stream();
    tail = walk_to_end();
  }
  const std::string damage = demuxer_.damage();

  int64_t count = walked_all ? tail.packets : indexed_frames();
  const int64_t zero = has_start_times_ ? origin_ : first_dts_;
  if (tail.last_start == INT64_MIN) tail.last_start = zero + (tail.packets - 1) * frame_ticks_;
  const int64_t last = std::max<int64_t>(0, tail.last_start - zero);
  if (count > 1 && last > 0) frame_ticks_ = std::max<int64_t>(1, (last + count / 2) / (count - 1));
  last_start_ = origin_ + last;
  info_.duration = seconds(last + (tail.last_duration > 0 ? tail.last_duration : frame_ticks_));
  clock_.ticks_per_second = av_q2d(av_inv_q(stream->time_base));
  clock_.tolerance =
      std::min({0.5, 0.0005 / tick_seconds_, 0.25 * static_cast<double>(frame_ticks_)});

  info_.fps = container_rate;
  if (count > 0) {
    info_.fps = static_cast<double>(count) / info_.duration;
  } else {
    const double estimate = std::max(1.0, std::round(info_.duration * info_.fps));
    // A header's count is believed unless it contradicts the duration.
    const bool agrees = std::abs(static_cast<double>(stream->nb_frames) - estimate) <=
                        std::max(2.0, 0.01 * estimate);
    count = stream->nb_frames > 0 && agrees ? stream->nb_frames : static_cast<int64_t>(estimate);
  }
  info_.frame_count = count;

  const double claimed = stream->duration > 0 ? seconds(stream->duration) : info_.duration;
  if (!damage.empty() || claimed > 1.02 * info_.duration + 1) {
    log(ATA_LOG_WARNING, concat("'", demuxer_.path(), "' says that it lasts ", claimed,
                                " s, but its data ends after ", info_.duration, " s",
                                damage.empty() ? "" : ": ", damage));
  }
}

}  // namespace ata::ffmpeg
