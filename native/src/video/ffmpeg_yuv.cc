#include "video/ffmpeg_yuv.h"

#include <cstring>
#include <new>

#include "base/error.h"
#include "video/ffmpeg.h"
#include "video/ffmpeg_converter.h"
#include "video/memory_frames.h"

namespace ata::ffmpeg {
namespace {

AVColorSpace colour_space(ata_colour_matrix matrix) {
  switch (matrix) {
    case ATA_MATRIX_BT601:
      return AVCOL_SPC_SMPTE170M;
    case ATA_MATRIX_BT709:
      return AVCOL_SPC_BT709;
    case ATA_MATRIX_BT2020:
      return AVCOL_SPC_BT2020_NCL;
    default:
      return AVCOL_SPC_UNSPECIFIED;
  }
}

AVColorRange colour_range(ata_colour_range range) {
  switch (range) {
    case ATA_RANGE_LIMITED:
      return AVCOL_RANGE_MPEG;
    case ATA_RANGE_FULL:
      return AVCOL_RANGE_JPEG;
    default:
      return AVCOL_RANGE_UNSPECIFIED;
  }
}

/// Brings the planes into a frame as decoders make them: libswscale reads whole vectors, past the
/// end of a row, where the caller's memory may end.
class YuvUnpacker : public FrameUnpacker {
 public:
  explicit YuvUnpacker(const ata_frame_layout& layout)
      : layout_(layout),
        frame_(make_frame()),
        converter_(kFramesInMemory, {layout.width, layout.height, {}}) {
    frame_->format = layout.format == ATA_PIXELS_NV12 ? AV_PIX_FMT_NV12 : AV_PIX_FMT_YUV420P;
    frame_->width = layout.width;
    frame_->height = layout.height;
    frame_->colorspace = colour_space(layout.matrix);
    frame_->color_range = colour_range(layout.range);
    if (av_frame_get_buffer(frame_.get(), 0) < 0) throw std::bad_alloc();
    for (const AVBufferRef* buffer : frame_->buf) {
      if (buffer) std::memset(buffer->data, 0, buffer->size);
    }
  }

  const uint8_t* unpack(const void* const* planes) override {
    for (int plane = 0; plane < plane_count(layout_.format); ++plane) {
      const PlaneSize size = plane_size(layout_, plane);
      const auto* row = static_cast<const uint8_t*>(planes[plane]);
      for (int64_t y = 0; y < size.rows; ++y, row += layout_.strides[plane]) {
        std::memcpy(frame_->data[plane] + y * frame_->linesize[plane], row,
                    static_cast<size_t>(size.row_bytes));
      }
    }
    return converter_.convert(*frame_);
  }

 private:
  ata_frame_layout layout_;
  Frame frame_;
  FrameConverter converter_;
};

}  // namespace

std::unique_ptr<FrameUnpacker> create_yuv_unpacker(const ata_frame_layout& layout) {
  return std::make_unique<YuvUnpacker>(layout);
}

}  // namespace ata::ffmpeg
