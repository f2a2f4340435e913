#include "video/memory_frames.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace ata {
namespace {

constexpr int kMostPlanes = 3;
// Of FFmpeg.
constexpr int64_t kMaxStride = INT32_MAX;

/// Pixels of three or four bytes each.
class PackedUnpacker : public FrameUnpacker {
 public:
  explicit PackedUnpacker(const ata_frame_layout& layout)
      : layout_(layout), row_bytes_(3 * int64_t{layout.width}) {}

  const uint8_t* unpack(const void* const* planes) override {
    const auto* row = static_cast<const uint8_t*>(planes[0]);
    const bool is_rgb = layout_.format == ATA_PIXELS_RGB;
    if (is_rgb && layout_.strides[0] == row_bytes_) return row;
    rgb_.resize(static_cast<size_t>(row_bytes_ * layout_.height));
    for (int y = 0; y < layout_.height; ++y, row += layout_.strides[0]) {
      uint8_t* const to = rgb_.data() + y * row_bytes_;
      switch (layout_.format) {
        case ATA_PIXELS_BGR:
          reorder<3, 2, 1, 0>(row, to);
          break;
        case ATA_PIXELS_RGBA:
          reorder<4, 0, 1, 2>(row, to);
          break;
        case ATA_PIXELS_BGRA:
          reorder<4, 2, 1, 0>(row, to);
          break;
        default:
          std::memcpy(to, row, static_cast<size_t>(row_bytes_));
      }
    }
    return rgb_.data();
  }

 private:
  template <int kBytes, int kRed, int kGreen, int kBlue>
  void reorder(const uint8_t* from, uint8_t* to) const {
    for (int x = 0; x < layout_.width; ++x, from += kBytes, to += 3) {
      to[0] = from[kRed];
      to[1] = from[kGreen];
      to[2] = from[kBlue];
    }
  }

  ata_frame_layout layout_;
  int64_t row_bytes_;
  std::vector<uint8_t> rgb_;
};

}  // namespace

ata_frame_layout default_frame_layout() {
  ata_frame_layout layout = {};
  layout.struct_size = sizeof(layout);
  layout.format = ATA_PIXELS_RGB;
  layout.matrix = ATA_MATRIX_UNKNOWN;
  layout.range = ATA_RANGE_UNKNOWN;
  layout.fps = 25;
  return layout;
}

ata_frame_layout checked_layout(const ata_frame_layout& layout) {
  const auto check_enum = [](int32_t value, int32_t last, const char* field) {
    require(value >= 0 && value <= last, "ata_frame_layout.", field, " is ", value,
            "; valid values are 0 to ", last);
  };
  check_enum(layout.format, ATA_PIXELS_I420, "format");
  check_enum(layout.matrix, ATA_MATRIX_BT2020, "matrix");
  check_enum(layout.range, ATA_RANGE_FULL, "range");
  require(layout.width >= 1 && layout.height >= 1 && layout.width <= kMaxPictureSide &&
              layout.height <= kMaxPictureSide &&
              int64_t{layout.width} * layout.height <= kMaxPicturePixels,
          "frames of ", layout.width, " x ", layout.height,
          " pixels cannot be read; a side has 1 to ", kMaxPictureSide, ", and a frame up to ",
          kMaxPicturePixels);
  require(std::isfinite(layout.fps) && layout.fps > 0 && layout.fps <= ATA_MAX_RATE, "fps is ",
          layout.fps, "; it must be above 0 and at most ", ATA_MAX_RATE);
  require(is_yuv(layout.format) ||
              (layout.matrix == ATA_MATRIX_UNKNOWN && layout.range == ATA_RANGE_UNKNOWN),
          "matrix and range are of luma and chroma (NV12, I420) and not of pixels that are RGB "
          "already; leave them 0");
  ata_frame_layout result = layout;
  for (int plane = 0; plane < kMostPlanes; ++plane) {
    int64_t& stride = result.strides[plane];
    if (plane >= plane_count(layout.format)) {
      require(stride == 0, "strides[", plane, "] is ", stride, ", but the format has ",
              plane_count(layout.format), " planes; leave it 0");
      continue;
    }
    const int64_t row_bytes = plane_size(layout, plane).row_bytes;
    if (stride == 0) stride = row_bytes;
    require(stride >= row_bytes && stride <= kMaxStride, "strides[", plane, "] is ", stride,
            " bytes; a row of this plane has ", row_bytes, ", and a stride at most ", kMaxStride);
  }
  return result;
}

std::unique_ptr<FrameUnpacker> make_packed_unpacker(const ata_frame_layout& layout) {
  return std::make_unique<PackedUnpacker>(layout);
}

MemoryFrames::MemoryFrames(std::span<const void* const> planes, const ata_frame_layout& layout,
                           std::unique_ptr<FrameUnpacker> unpacker)
    : planes_(planes),
      planes_of_frame_(static_cast<size_t>(plane_count(layout.format))),
      unpacker_(std::move(unpacker)) {
  info_.struct_size = sizeof(info_);
  info_.width = layout.width;
  info_.height = layout.height;
  info_.fps = layout.fps;
  info_.frame_count = static_cast<int64_t>(planes.size() / planes_of_frame_);
  info_.duration = static_cast<double>(info_.frame_count) / layout.fps;
  info_.bit_depth = 8;
}

void MemoryFrames::read(std::span<const double> times, const std::atomic<bool>* cancelled,
                        const FrameSink& sink) {
  for (size_t first = 0; first < times.size();) {
    const size_t index = index_at(times[first]);
    size_t end = first + 1;
    while (end < times.size() && index_at(times[end]) == index) ++end;
    sink({rgb_of(index, cancelled), time_of(index), first, end - first});
    first = end;
  }
}

void MemoryFrames::walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) {
  for (size_t index = 0; index < static_cast<size_t>(info_.frame_count); ++index) {
    const uint8_t* rgb = rgb_of(index, cancelled);
    if (!visit(rgb, static_cast<int64_t>(index), time_of(index))) return;
  }
}

/// As of a folder of images: a tick is a frame.
FrameClock MemoryFrames::clock() const {
  return {info_.fps, std::min(0.0005 * info_.fps, 0.25)};
}

size_t MemoryFrames::index_at(double time) const {
  return static_cast<size_t>(std::min(clock().tick_of(time), info_.frame_count - 1));
}

const uint8_t* MemoryFrames::rgb_of(size_t index, const std::atomic<bool>* cancelled) {
  if (cancelled && cancelled->load(std::memory_order_relaxed)) {
    fail(ATA_CANCELLED, "sampling '", kFramesInMemory, "' was cancelled");
  }
  return unpacker_->unpack(planes_.data() + index * planes_of_frame_);
}

}  // namespace ata
