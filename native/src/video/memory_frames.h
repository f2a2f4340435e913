#ifndef ATA_VIDEO_MEMORY_FRAMES_H_
#define ATA_VIDEO_MEMORY_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ata/ata.h"
#include "video/plugin.h"

namespace ata {

/// What messages call frames that come from no file.
inline constexpr char kFramesInMemory[] = "<frames>";

/// How many planes a frame of the format has: 1 to 3.
constexpr int plane_count(ata_pixel_format format) {
  return format == ATA_PIXELS_NV12 ? 2 : format == ATA_PIXELS_I420 ? 3 : 1;
}

/// A plane's rows, and the bytes of each that hold pixels.
struct PlaneSize {
  int64_t rows;
  int64_t row_bytes;
};

/// Of a plane of a layout whose format and extents are valid.
constexpr PlaneSize plane_size(const ata_frame_layout& layout, int plane) {
  const int64_t width = layout.width;
  const int64_t half = (width + 1) / 2;
  const int64_t half_rows = (int64_t{layout.height} + 1) / 2;
  switch (layout.format) {
    case ATA_PIXELS_RGBA:
    case ATA_PIXELS_BGRA:
      return {layout.height, 4 * width};
    case ATA_PIXELS_NV12:
      return plane == 0 ? PlaneSize{layout.height, width} : PlaneSize{half_rows, 2 * half};
    case ATA_PIXELS_I420:
      return plane == 0 ? PlaneSize{layout.height, width} : PlaneSize{half_rows, half};
    default:
      return {layout.height, 3 * width};
  }
}

ata_frame_layout default_frame_layout();

/// The layout with its strides filled in. Throws ATA_INVALID_ARGUMENT naming the field that is out
/// of range, or that the format does not use.
ata_frame_layout checked_layout(const ata_frame_layout& layout);

/// Whether the planes are luma and chroma.
constexpr bool is_yuv(ata_pixel_format format) {
  return format == ATA_PIXELS_NV12 || format == ATA_PIXELS_I420;
}

/// For a layout that was checked and is not of luma and chroma.
std::unique_ptr<FrameUnpacker> make_packed_unpacker(const ata_frame_layout& layout);

/// Frames in the caller's memory as a video of constant rate. Only frames that are asked for are
/// looked at.
class MemoryFrames : public FrameDecoder {
 public:
  /// `planes` has plane_count() addresses a frame, of at least one frame, which stay with the
  /// memory they lead to while this object lives.
  MemoryFrames(std::span<const void* const> planes, const ata_frame_layout& layout,
               std::unique_ptr<FrameUnpacker> unpacker);

  const ata_video_info& info() const override { return info_; }
  void read(std::span<const double> times, const std::atomic<bool>* cancelled,
            const FrameSink& sink) override;
  void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) override;
  FrameClock clock() const override;

 private:
  size_t index_at(double time) const;
  double time_of(size_t index) const { return static_cast<double>(index) / info_.fps; }
  const uint8_t* rgb_of(size_t index, const std::atomic<bool>* cancelled);

  std::span<const void* const> planes_;
  size_t planes_of_frame_;
  std::unique_ptr<FrameUnpacker> unpacker_;
  ata_video_info info_ = {};
};

}  // namespace ata

#endif  // ATA_VIDEO_MEMORY_FRAMES_H_
