#include "video/ffmpeg_images.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "video/ffmpeg.h"
#include "video/ffmpeg_converter.h"
#include "video/ffmpeg_decoder.h"
#include "video/ffmpeg_log.h"

namespace ata::ffmpeg {
namespace {

/// The codec of an image by its first bytes: names of files are often wrong.
AVCodecID image_codec(const std::string& path, const AVPacket& packet) {
  constexpr uint8_t kPng[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  constexpr uint8_t kJpeg[] = {0xff, 0xd8, 0xff};
  const auto begins_with = [&packet](const uint8_t* magic, int size) {
    return packet.size >= size && std::memcmp(packet.data, magic, static_cast<size_t>(size)) == 0;
  };
  if (begins_with(kPng, sizeof(kPng))) return AV_CODEC_ID_PNG;
  if (begins_with(kJpeg, sizeof(kJpeg))) return AV_CODEC_ID_MJPEG;
  fail(ATA_BAD_VIDEO, "'", path, "' is neither a JPEG nor a PNG image");
}

Packet read_packet(const std::string& path) {
  const InputFile file(path);
  constexpr uint64_t kMaxBytes = uint64_t{1} << 30;
  if (file.size() == 0) fail(ATA_BAD_VIDEO, "'", path, "' is empty");
  if (file.size() > kMaxBytes) {
    fail(ATA_BAD_VIDEO, "'", path, "' has ", file.size(), " bytes; an image may have up to ",
         kMaxBytes);
  }
  Packet packet = make_packet();
  if (av_new_packet(packet.get(), static_cast<int>(file.size())) < 0) throw std::bad_alloc();
  file.read(0, packet->data, static_cast<size_t>(file.size()));
  packet->flags |= AV_PKT_FLAG_KEY;
  return packet;
}

/// A folder of images as a video of constant frame rate.
class ImageDecoder : public FrameDecoder {
 public:
  ImageDecoder(std::vector<std::string> files, double fps) : files_(std::move(files)) {
    const Frame first = decode(files_.front());
    const AVFrameSideData* matrix =
        av_frame_get_side_data(first.get(), AV_FRAME_DATA_DISPLAYMATRIX);
    // The aspect ratio of an image's pixels is a matter of printing, not of showing.
    const bool has_matrix = matrix && matrix->size >= 9 * sizeof(int32_t);
    geometry_ = geometry_of(files_.front(), *first, {0, 1},
                            has_matrix ? reinterpret_cast<const int32_t*>(matrix->data) : nullptr);
    converter_ = std::make_unique<FrameConverter>(files_.front(), geometry_);
    info_.width = geometry_.shown_width();
    info_.height = geometry_.shown_height();
    info_.rotation = 90 * geometry_.orientation.quarter_turns;
    info_.fps = fps;
    info_.frame_count = static_cast<int64_t>(files_.size());
    info_.duration = static_cast<double>(files_.size()) / fps;
    const AVPixFmtDescriptor* format =
        av_pix_fmt_desc_get(static_cast<AVPixelFormat>(first->format));
    info_.bit_depth = format ? format->comp[0].depth : 8;
    std::strncpy(info_.codec, avcodec_get_name(codec_->codec_id), sizeof(info_.codec) - 1);
  }

  const ata_video_info& info() const override { return info_; }

  void read(std::span<const double> times, const std::atomic<bool>* cancelled,
            const FrameSink& sink) override {
    for (size_t first = 0; first < times.size();) {
      const size_t index = index_at(times[first]);
      size_t end = first + 1;
      while (end < times.size() && index_at(times[end]) == index) ++end;
      sink({convert(index, cancelled), time_of(index), first, end - first});
      first = end;
    }
  }

  void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) override {
    for (size_t index = 0; index < files_.size(); ++index) {
      const uint8_t* rgb = convert(index, cancelled);
      if (!visit(rgb, static_cast<int64_t>(index), time_of(index))) return;
    }
  }

  /// A tick is a frame. The tolerance is the one that FrameDecoder::read promises.
  FrameClock clock() const override { return {info_.fps, std::min(0.0005 * info_.fps, 0.25)}; }

 private:
  size_t index_at(double time) const {
    return std::min(static_cast<size_t>(clock().tick_of(time)), files_.size() - 1);
  }

  double time_of(size_t index) const { return static_cast<double>(index) / info_.fps; }

  /// The pixels of an image, valid until the next.
  const uint8_t* convert(size_t index, const std::atomic<bool>* cancelled) {
    if (cancelled && cancelled->load(std::memory_order_relaxed)) {
      fail(ATA_CANCELLED, "reading '", files_.front(), "' and the following was cancelled");
    }
    const std::string& path = files_[index];
    const Frame frame = decode(path);
    if (frame->width != geometry_.width || frame->height != geometry_.height) {
      fail(ATA_BAD_VIDEO, "'", path, "' has ", frame->width, " x ", frame->height, " pixels, but '",
           files_.front(), "' has ", geometry_.width, " x ", geometry_.height,
           "; the frames of a folder must be of one size");
    }
    return converter_->convert(*frame);
  }

  Frame decode(const std::string& path) {
    const Packet packet = read_packet(path);
    const AVCodecID id = image_codec(path, *packet);
    // A folder may mix the formats.
    if (!codec_ || codec_->codec_id != id) codec_ = open_codec(path, id, nullptr, 1, complaints_);
    Frame frame = make_frame();
    const Listening listening(&complaints_);
    int status = avcodec_send_packet(codec_.get(), packet.get());
    if (status >= 0) status = avcodec_send_packet(codec_.get(), nullptr);
    if (status >= 0) status = avcodec_receive_frame(codec_.get(), frame.get());
    avcodec_flush_buffers(codec_.get());
    if (status < 0) {
      fail(ATA_BAD_VIDEO, "'", path, "' is corrupt: ", error_text(status, complaints_));
    }
    check_size(path, frame->width, frame->height);
    return frame;
  }

  std::vector<std::string> files_;
  Complaints complaints_;
  CodecContext codec_;
  Geometry geometry_;
  ata_video_info info_ = {};
  std::unique_ptr<FrameConverter> converter_;
};

}  // namespace

std::unique_ptr<FrameDecoder> open_images(std::vector<std::string> files,
                                          const ata_video_options& options) {
  return std::make_unique<ImageDecoder>(std::move(files), options.folder_fps);
}

}  // namespace ata::ffmpeg
