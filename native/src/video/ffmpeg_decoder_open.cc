#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

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
                        int threads, Complaints& complaints) {
  const Listening listening(&complaints);
  if (id == AV_CODEC_ID_NONE) {
    fail(ATA_BAD_VIDEO, "'", path, "' is coded in a way that FFmpeg does not know");
  }
  const AVCodec* codec = avcodec_find_decoder(id);
  if (!codec) {
    fail(ATA_UNSUPPORTED, "'", path, "' is coded as ", avcodec_get_name(id),
         ", which the FFmpeg that Ata was built with cannot decode; convert the video to H.264, or "
         "build Ata with an FFmpeg that has that codec");
  }
  CodecContext context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  int status = parameters ? avcodec_parameters_to_context(context.get(), parameters) : 0;
  if (status >= 0) {
    context->thread_count = threads;
    context->max_pixels = kMaxPicturePixels;
    context->opaque = &complaints;
    status = avcodec_open2(context.get(), codec, nullptr);
  }
  if (status < 0) {
    fail(ATA_BAD_VIDEO, "'", path, "' cannot be decoded as ", avcodec_get_name(id), ": ",
         error_text(status, complaints));
  }
  return context;
}

std::unique_ptr<FrameDecoder> open_file(std::shared_ptr<const InputFile> file,
                                        const ata_video_options& options) {
  return std::make_unique<FileDecoder>(std::move(file), options);
}

FileDecoder::FileDecoder(std::shared_ptr<const InputFile> file, const ata_video_options& options)
    : demuxer_(std::move(file)), packet_(make_packet()), packets_(demuxer_, timeline_) {
  const std::string& path = demuxer_.path();
  const AVCodecParameters* parameters = demuxer_.stream()->codecpar;
  if (parameters->width > 0 || parameters->height > 0) {
    check_size(path, parameters->width, parameters->height);
  }
  codec_ =
      open_codec(path, parameters->codec_id, parameters, options.threads, demuxer_.complaints());
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
  const double frame_ticks = std::min(1 / (av_q2d(rate) * tick_seconds_), 1e15);
  timeline_.scan(demuxer_, std::max<int64_t>(1, std::llround(frame_ticks)));
  const std::string damage = demuxer_.damage();
  const auto fail_empty = [&] {
    fail(ATA_BAD_VIDEO, "'", demuxer_.path(), "' has no frame that can be decoded",
         damage.empty() ? "" : ": ", damage);
  };
  if (timeline_.frames() == 0) fail_empty();
  if (!timeline_.orderly()) learn_order();

  // A seek to the start spares opening the file again.
  packets_.after_scan();
  start_at(timeline_.first_keyframe());
  first_valid_ = 0;
  previous_ = previous_received_ = kNone;
  try {
    current_ = decode();
  } catch (const Damaged&) {
    current_ = Ranked();
  }
  if (!current_) {
    forget_position();
    packets_.restart();
    from_start_ = true;
    current_ = decode();
  }
  if (!current_) fail_empty();
  position_known_ = true;
  timeline_.begin_at(current_.rank);

  const AVFrame& frame = *current_.frame;
  const AVRational aspect =
      av_guess_sample_aspect_ratio(demuxer_.format(), demuxer_.stream(), current_.frame.get());
  const Geometry geometry =
      geometry_of(demuxer_.path(), frame, aspect, display_matrix(demuxer_.stream(), &frame));
  converter_ = std::make_unique<FrameConverter>(demuxer_.path(), geometry);
  info_.width = geometry.shown_width();
  info_.height = geometry.shown_height();
  info_.rotation = 90 * geometry.orientation.quarter_turns;
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  info_.bit_depth = format ? format->comp[0].depth : 8;
  std::strncpy(info_.codec, avcodec_get_name(codec_->codec_id), sizeof(info_.codec) - 1);
  may_skip_ = !timeline_.by_appearance() && marks_unreferenced_frames(codec_->codec_id);
  set_extent(av_q2d(rate), damage);
}

/// Sets duration, rate and number of frames from the packets, because headers are often wrong about
/// files that were cut.
void FileDecoder::set_extent(double container_rate, const std::string& damage) {
  info_.frame_count = timeline_.frames();
  info_.duration = seconds(timeline_.start(timeline_.last()) + timeline_.last_duration());
  info_.fps = static_cast<double>(info_.frame_count) / info_.duration;
  // Times of some containers are rounded.
  if (std::abs(info_.fps - container_rate) < 1e-3 * container_rate) info_.fps = container_rate;
  clock_.ticks_per_second = Timeline::kParts * av_q2d(av_inv_q(demuxer_.stream()->time_base));
  // Half a tick or half a millisecond.
  clock_.tolerance = std::min({0.5 * Timeline::kParts, 0.0005 * clock_.ticks_per_second,
                               0.25 * static_cast<double>(timeline_.step())});

  const double claimed = std::max(claimed_duration(), info_.duration);
  if (!damage.empty() || claimed > 1.02 * info_.duration + 1) {
    log(ATA_LOG_WARNING, concat("'", demuxer_.path(), "' says that it lasts ", claimed,
                                " s, but its data ends after ", info_.duration, " s",
                                damage.empty() ? "" : ": ", damage));
  }
  say_repairs();
}

/// The duration in seconds that the file's header tells, or 0.
double FileDecoder::claimed_duration() const {
  const AVFormatContext* format = demuxer_.format();
  // Of some formats it is estimated from the packets.
  if (format->duration_estimation_method != AVFMT_DURATION_FROM_STREAM) return 0;
  const int64_t ticks = demuxer_.stream()->duration;
  if (ticks > 0) return static_cast<double>(ticks) * tick_seconds_;
  // That of the whole file may be that of its sound.
  const bool alone = format->nb_streams == 1 && format->duration > 0;
  return alone ? static_cast<double>(format->duration) / AV_TIME_BASE : 0;
}

/// Says which times had to be repaired.
void FileDecoder::say_repairs() const {
  const TimeRepairs& repairs = timeline_.repairs();
  if (!repairs.any()) return;
  const auto part = [](int64_t count, const char* one, const char* many) {
    return count == 0 ? std::string() : concat(" ", count, count == 1 ? one : many, ";");
  };
  const std::string restarts =
      repairs.restarts == 0   ? ""
      : repairs.restarts == 1 ? " they start again or jump once;"
                              : concat(" they start again or jump ", repairs.restarts, " times;");
  log(ATA_LOG_WARNING,
      concat("the timestamps of '", demuxer_.path(),
             "' were repaired:", part(repairs.missing, " frame has none", " frames have none"),
             part(repairs.misplaced, " frame has a wrong one", " frames have wrong ones"), restarts,
             " frames are shown in the order in which `ffmpeg` shows them"));
}

}  // namespace ata::ffmpeg
