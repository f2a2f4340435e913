#ifndef ATA_VIDEO_FFMPEG_CONVERTER_H_
#define ATA_VIDEO_FFMPEG_CONVERTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "video/ffmpeg.h"
#include "video/plugin.h"

namespace ata::ffmpeg {

/// How a coded picture is turned for display: mirrored top to bottom first, then turned clockwise.
struct Orientation {
  int quarter_turns = 0;  ///< 0 to 3.
  bool mirrored = false;
};

/// Reads FFmpeg's 3x3 display matrix; null stands for the identity. Angles are rounded to quarter
/// turns.
Orientation orientation_of(const int32_t* matrix);

/// The size of a picture on its way to the screen.
struct Geometry {
  int width = 0;   ///< With square pixels, before turning.
  int height = 0;  ///< Likewise; the coded height.
  Orientation orientation;

  int shown_width() const { return orientation.quarter_turns % 2 ? height : width; }
  int shown_height() const { return orientation.quarter_turns % 2 ? width : height; }
};

/// The geometry of `frame` with pixels of the given aspect ratio (0/x: unknown, taken as square).
/// Throws ATA_BAD_VIDEO naming `path` for sizes and ratios beyond reason.
Geometry geometry_of(const std::string& path, const AVFrame& frame, AVRational pixel_aspect,
                     const int32_t* display_matrix);

/// Throws ATA_BAD_VIDEO naming `path` for pictures that are larger than this library reads.
void check_size(const std::string& path, int width, int height);

/// Turns decoded pictures of any pixel format, bit depth, range and colour matrix into upright u8
/// RGB with square pixels. Conversion and scaling are those of the `ffmpeg` program (bicubic;
/// BT.601 where the stream does not say), so that frames equal those of tools that use it.
class FrameConverter {
 public:
  FrameConverter(std::string path, const Geometry& geometry)
      : path_(std::move(path)), geometry_(geometry) {}

  /// `shown_height` rows of `shown_width * 3` bytes, valid until the next call.
  const uint8_t* convert(const AVFrame& frame);

 private:
  void prepare_scaler(const AVFrame& frame);
  void turn(const uint8_t* source, int64_t stride);

  std::string path_;
  Geometry geometry_;
  // What the scaler was made for.
  int width_ = 0;
  int height_ = 0;
  int format_ = -1;
  AVColorSpace colour_space_ = AVCOL_SPC_UNSPECIFIED;
  AVColorRange colour_range_ = AVCOL_RANGE_UNSPECIFIED;
  Scaler scaler_;
  std::vector<uint8_t> scaled_;
  std::vector<uint8_t> shown_;
};

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_CONVERTER_H_
