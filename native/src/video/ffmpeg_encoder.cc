#include "video/ffmpeg_encoder.h"

#include <new>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "video/ffmpeg.h"

namespace ata::ffmpeg {
namespace {

struct Candidate {
  const char* codec;
  AVPixelFormat format;
  /// "key=value:key=value" of the codec.
  const char* options;
};

constexpr Candidate kH264[] = {
    {"libx264", AV_PIX_FMT_YUV420P, "preset=veryfast:crf=18"},
    {"libopenh264", AV_PIX_FMT_YUV420P, "b=8M"},
    {"h264_mf", AV_PIX_FMT_YUV420P, "b=8M"},
    {"h264_videotoolbox", AV_PIX_FMT_YUV420P, "b=8M"},
    {"mpeg4", AV_PIX_FMT_YUV420P, "flags=+qscale:global_quality=354"},
};
constexpr Candidate kWebm[] = {
    {"libvpx-vp9", AV_PIX_FMT_YUV420P, "b=0:crf=24:deadline=realtime:cpu-used=6:row-mt=1"},
    {"libvpx", AV_PIX_FMT_YUV420P, "b=8M:crf=10:deadline=realtime:cpu-used=6"},
};
constexpr Candidate kAvi[] = {
    {"mpeg4", AV_PIX_FMT_YUV420P, "flags=+qscale:global_quality=354"},
    {"mjpeg", AV_PIX_FMT_YUVJ420P, "flags=+qscale:global_quality=354"},
};

std::span<const Candidate> candidates(const std::string& container) {
  if (container == "webm") return kWebm;
  if (container == "avi") return kAvi;
  return kH264;
}

const char* muxer_name(const std::string& container) {
  return container == "mkv" ? "matroska" : container.c_str();
}

[[noreturn]] void fail_write(const std::string& path, int status) {
  fail(ATA_IO_ERROR, "cannot write '", path, "': ", error_text(status));
}

/// Converts u8 RGB to the codec's pixels. BT.601, because some containers cannot say which matrix
/// was used and readers assume this one.
class PixelSource {
 public:
  PixelSource(int width, int height, AVPixelFormat format, bool full_range)
      : frame_(make_frame()), width_(width), height_(height) {
    frame_->width = width;
    frame_->height = height;
    frame_->format = format;
    if (av_frame_get_buffer(frame_.get(), 0) < 0) throw std::bad_alloc();
    scaler_.reset(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, format,
                                 SWS_BICUBIC | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
    if (!scaler_) throw std::bad_alloc();
    const int* matrix = sws_getCoefficients(SWS_CS_ITU601);
    constexpr int kOne = 1 << 16;
    sws_setColorspaceDetails(scaler_.get(), matrix, 1, matrix, full_range, 0, kOne, kOne);
  }

  AVFrame* convert(const uint8_t* rgb) {
    // The encoder may still hold the last frame's memory.
    if (av_frame_make_writable(frame_.get()) < 0) throw std::bad_alloc();
    const uint8_t* const planes[4] = {rgb, nullptr, nullptr, nullptr};
    const int strides[4] = {width_ * 3, 0, 0, 0};
    const int rows =
        sws_scale(scaler_.get(), planes, strides, 0, height_, frame_->data, frame_->linesize);
    if (rows != height_) fail(ATA_INTERNAL, "libswscale cannot convert a frame");
    return frame_.get();
  }

 private:
  Frame frame_;
  Scaler scaler_;
  int width_;
  int height_;
};

class FileEncoder : public FrameEncoder {
 public:
  explicit FileEncoder(const EncoderOptions& options)
      : path_(options.shown_as), packet_(make_packet()) {
    try {
      open(options);
    } catch (...) {
      close();
      throw;
    }
  }
  ~FileEncoder() override { close(); }

  void add(const uint8_t* rgb) override {
    AVFrame* frame = pixels_->convert(rgb);
    frame->pts = next_pts_++;
    encode(frame);
  }

  void finish() override {
    encode(nullptr);
    int status = av_write_trailer(format_);
    if (status < 0) fail_write(path_, status);
    status = avio_closep(&format_->pb);
    if (status < 0) fail_write(path_, status);
  }

 private:
  void open(const EncoderOptions& options) {
    int status =
        avformat_alloc_output_context2(&format_, nullptr, muxer_name(options.container), nullptr);
    if (status < 0) {
      fail(ATA_UNSUPPORTED, "the FFmpeg that Ata was built with cannot write ", options.container,
           " files: ", error_text(status));
    }
    open_codec(options);
    AVStream* stream = avformat_new_stream(format_, nullptr);
    if (!stream) throw std::bad_alloc();
    status = avcodec_parameters_from_context(stream->codecpar, codec_.get());
    if (status < 0) throw std::bad_alloc();
    stream->time_base = codec_->time_base;
    stream->avg_frame_rate = codec_->framerate;
    stream->sample_aspect_ratio = {1, 1};
    // With a protocol given, a colon in the name has no meaning.
    const std::string url = "file:" + options.file;
    status = avio_open(&format_->pb, url.c_str(), AVIO_FLAG_WRITE);
    if (status >= 0) status = avformat_write_header(format_, nullptr);
    if (status < 0) fail_write(path_, status);
    pixels_ = std::make_unique<PixelSource>(options.width, options.height, codec_->pix_fmt,
                                            codec_->color_range == AVCOL_RANGE_JPEG);
  }

  void open_codec(const EncoderOptions& options) {
    std::string tried;
    for (const Candidate& candidate : candidates(options.container)) {
      tried += concat(tried.empty() ? "" : ", ", candidate.codec);
      const AVCodec* codec = avcodec_find_encoder_by_name(candidate.codec);
      if (!codec) continue;
      codec_.reset(avcodec_alloc_context3(codec));
      if (!codec_) throw std::bad_alloc();
      codec_->width = options.width;
      codec_->height = options.height;
      codec_->pix_fmt = candidate.format;
      const bool full_range = candidate.format == AV_PIX_FMT_YUVJ420P;
      codec_->color_range = full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
      codec_->colorspace = AVCOL_SPC_SMPTE170M;
      codec_->sample_aspect_ratio = {1, 1};
      // MPEG-4 counts time in units of at least 1/65535 s.
      codec_->framerate = av_d2q(options.fps, 65535);
      codec_->time_base = av_inv_q(codec_->framerate);
      if (format_->oformat->flags & AVFMT_GLOBALHEADER) {
        codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
      }
      AVDictionary* dictionary = nullptr;
      int status = av_dict_parse_string(&dictionary, candidate.options, "=", ":", 0);
      if (status >= 0) status = avcodec_open2(codec_.get(), codec, &dictionary);
      av_dict_free(&dictionary);
      if (status >= 0) return;
      log(ATA_LOG_DEBUG, concat("cannot use encoder ", candidate.codec, ": ", error_text(status)));
    }
    fail(ATA_UNSUPPORTED, "the FFmpeg that Ata was built with has no usable encoder for ",
         options.container, " files (tried ", tried,
         "); write a file of another kind, such as .mp4, or build Ata with an FFmpeg that has one");
  }

  void encode(const AVFrame* frame) {
    int status = avcodec_send_frame(codec_.get(), frame);
    while (status >= 0) {
      status = avcodec_receive_packet(codec_.get(), packet_.get());
      if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return;
      if (status < 0) break;
      AVStream* stream = format_->streams[0];
      packet_->stream_index = stream->index;
      if (packet_->duration == 0) packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream->time_base);
      status = av_interleaved_write_frame(format_, packet_.get());
    }
    fail_write(path_, status);
  }

  void close() {
    if (!format_) return;
    if (format_->pb) avio_closep(&format_->pb);
    avformat_free_context(format_);
    format_ = nullptr;
  }

  std::string path_;
  AVFormatContext* format_ = nullptr;
  CodecContext codec_;
  Packet packet_;
  std::unique_ptr<PixelSource> pixels_;
  int64_t next_pts_ = 0;
};

}  // namespace

std::unique_ptr<FrameEncoder> create_encoder(const EncoderOptions& options) {
  return std::make_unique<FileEncoder>(options);
}

std::vector<uint8_t> encode_image(ImageFormat format, const uint8_t* rgb, int width, int height) {
  const bool png = format == ImageFormat::kPng;
  const AVCodec* codec = avcodec_find_encoder(png ? AV_CODEC_ID_PNG : AV_CODEC_ID_MJPEG);
  if (!codec) {
    fail(ATA_UNSUPPORTED, "the FFmpeg that Ata was built with cannot write ", png ? "PNG" : "JPEG",
         " images");
  }
  CodecContext context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->width = width;
  context->height = height;
  context->time_base = {1, 1};
  context->pix_fmt = png ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUVJ444P;
  context->color_range = AVCOL_RANGE_JPEG;
  if (!png) {
    context->flags |= AV_CODEC_FLAG_QSCALE;
    context->global_quality = 2 * FF_QP2LAMBDA;
  }
  int status = avcodec_open2(context.get(), codec, nullptr);
  Packet packet = make_packet();
  if (status >= 0) {
    PixelSource pixels(width, height, context->pix_fmt, true);
    AVFrame* frame = pixels.convert(rgb);
    frame->pts = 0;
    frame->quality = context->global_quality;
    status = avcodec_send_frame(context.get(), frame);
    if (status >= 0) status = avcodec_send_frame(context.get(), nullptr);
    if (status >= 0) status = avcodec_receive_packet(context.get(), packet.get());
  }
  if (status < 0) {
    fail(ATA_INTERNAL, "FFmpeg cannot encode an image of ", width, " x ", height,
         " pixels: ", error_text(status));
  }
  return std::vector<uint8_t>(packet->data, packet->data + packet->size);
}

}  // namespace ata::ffmpeg
