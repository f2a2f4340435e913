#include "video/ffmpeg_converter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <numbers>

#include "base/error.h"
#include "base/log.h"

namespace ata::ffmpeg {

Orientation orientation_of(const int32_t* matrix) {
  Orientation orientation;
  if (!matrix) return orientation;
  // (x, y) goes to (a x + c y, b x + d y), y pointing down.
  const double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  const double determinant = a * d - b * c;
  if (determinant == 0) return orientation;
  const int turns = static_cast<int>(std::lround(std::atan2(b, a) / (std::numbers::pi / 2)));
  orientation.quarter_turns = (turns + 4) % 4;
  orientation.mirrored = determinant < 0;
  return orientation;
}

void check_size(const std::string& path, int width, int height) {
  const bool reasonable = width > 0 && height > 0 && width <= kMaxPictureSide &&
                          height <= kMaxPictureSide && int64_t{width} * height <= kMaxPicturePixels;
  if (!reasonable) {
    fail(ATA_BAD_VIDEO, "'", path, "' claims pictures of ", width, " x ", height,
         " pixels; at most ", kMaxPictureSide, " a side and ", kMaxPicturePixels,
         " in all can be read");
  }
}

namespace {

/// Says what of a display matrix is not applied: anything but quarter turns and mirroring.
void say_ignored(const std::string& path, const int32_t* matrix) {
  if (!matrix) return;
  const double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (a * d - b * c == 0) {
    log(ATA_LOG_WARNING,
        concat("'", path, "' has a display matrix that shows nothing, ", "which is not applied"));
    return;
  }
  const double degrees = std::atan2(b, a) * 180 / std::numbers::pi;
  const int applied = 90 * orientation_of(matrix).quarter_turns;
  const double rest = std::remainder(degrees - applied, 360);
  if (std::abs(rest) > 1) {
    log(ATA_LOG_WARNING,
        concat("'", path, "' is to be shown turned clockwise by ", std::round(degrees * 10) / 10,
               " degrees; only quarter turns are applied, so it is turned by ", applied));
  }
}

}  // namespace

Geometry geometry_of(const std::string& path, const AVFrame& frame, AVRational pixel_aspect,
                     const int32_t* display_matrix) {
  check_size(path, frame.width, frame.height);
  Geometry geometry = {frame.width, frame.height, orientation_of(display_matrix)};
  say_ignored(path, display_matrix);
  if (pixel_aspect.num > 0 && pixel_aspect.den > 0) {
    const double aspect = av_q2d(pixel_aspect);
    constexpr double kMaxAspect = 16;
    if (aspect > kMaxAspect || aspect < 1 / kMaxAspect) {
      fail(ATA_BAD_VIDEO, "'", path, "' claims pixels of aspect ratio ", pixel_aspect.num, ":",
           pixel_aspect.den, "; ratios up to ", kMaxAspect, " can be read");
    }
    geometry.width = std::max(1, static_cast<int>(std::lround(frame.width * aspect)));
    check_size(path, geometry.width, geometry.height);
  }
  return geometry;
}

void FrameConverter::prepare_scaler(const AVFrame& frame) {
  if (scaler_ && frame.width == width_ && frame.height == height_ && frame.format == format_ &&
      frame.colorspace == colour_space_ && frame.color_range == colour_range_) {
    return;
  }
  check_size(path_, frame.width, frame.height);
  const auto format = static_cast<AVPixelFormat>(frame.format);
  if (!sws_isSupportedInput(format)) {
    const char* name = av_get_pix_fmt_name(format);
    fail(ATA_UNSUPPORTED, "'", path_, "' has pixels of format ", name ? name : "unknown",
         ", which FFmpeg's libswscale cannot convert; convert the video first");
  }
  scaler_.reset(sws_alloc_context());
  if (!scaler_) throw std::bad_alloc();
  SwsContext* scaler = scaler_.get();
  av_opt_set_int(scaler, "srcw", frame.width, 0);
  av_opt_set_int(scaler, "srch", frame.height, 0);
  av_opt_set_int(scaler, "src_format", format, 0);
  av_opt_set_int(scaler, "dstw", geometry_.width, 0);
  av_opt_set_int(scaler, "dsth", geometry_.height, 0);
  av_opt_set_int(scaler, "dst_format", AV_PIX_FMT_RGB24, 0);
  av_opt_set_int(scaler, "sws_flags", SWS_BICUBIC, 0);
  // The chroma of 8-bit 4:2:0 lies between the rows (MPEG-2), as the `ffmpeg` program assumes.
  if (format == AV_PIX_FMT_YUV420P) av_opt_set_int(scaler, "src_v_chr_pos", 128, 0);
  const int status = sws_init_context(scaler, nullptr, nullptr);
  if (status < 0) {
    scaler_.reset();
    fail(ATA_BAD_VIDEO, "'", path_,
         "' has pictures that cannot be converted: ", error_text(status));
  }

  int *ignored_source = nullptr, *ignored_target = nullptr;
  int source_range = 0, target_range = 0, brightness = 0, contrast = 0, saturation = 0;
  sws_getColorspaceDetails(scaler, &ignored_source, &source_range, &ignored_target, &target_range,
                           &brightness, &contrast, &saturation);
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) {
    source_range = frame.color_range == AVCOL_RANGE_JPEG;
  }
  // libswscale numbers the matrices as FFmpeg's colour spaces; it has no others than these.
  int space = frame.colorspace;
  if (space < AVCOL_SPC_BT709 || space > AVCOL_SPC_BT2020_CL || space == AVCOL_SPC_YCGCO) {
    space = AVCOL_SPC_BT470BG;
  }
  const int* matrix = sws_getCoefficients(space);
  sws_setColorspaceDetails(scaler, matrix, source_range, matrix, target_range, brightness, contrast,
                           saturation);
  width_ = frame.width;
  height_ = frame.height;
  format_ = frame.format;
  colour_space_ = frame.colorspace;
  colour_range_ = frame.color_range;
}

const uint8_t* FrameConverter::convert(const AVFrame& frame) {
  prepare_scaler(frame);
  // libswscale writes whole vectors, past the end of a row.
  const int64_t stride = (int64_t{geometry_.width} * 3 + 63) / 64 * 64 + 64;
  scaled_.resize(static_cast<size_t>(stride * geometry_.height) + 64);
  uint8_t* const planes[4] = {scaled_.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
  const int rows =
      sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides);
  if (rows != geometry_.height) {
    fail(ATA_BAD_VIDEO, "'", path_, "' has a picture that cannot be converted",
         rows < 0 ? ": " + error_text(rows) : std::string());
  }
  turn(scaled_.data(), stride);
  return shown_.data();
}

void FrameConverter::turn(const uint8_t* source, int64_t stride) {
  const int64_t width = geometry_.shown_width(), height = geometry_.shown_height();
  const int64_t last_x = geometry_.width - 1, last_y = geometry_.height - 1;
  shown_.resize(static_cast<size_t>(width * height * 3));
  // The shown pixel (x, y) lies `x * x_step + y * y_step` bytes from that of (0, 0).
  int64_t x_step = 3, y_step = stride;
  if (geometry_.orientation.mirrored) {
    source += last_y * stride;
    y_step = -stride;
  }
  const int64_t right = x_step, down = y_step;
  switch (geometry_.orientation.quarter_turns) {
    case 1:
      source += last_y * down;
      x_step = -down;
      y_step = right;
      break;
    case 2:
      source += last_y * down + last_x * right;
      x_step = -right;
      y_step = -down;
      break;
    case 3:
      source += last_x * right;
      x_step = down;
      y_step = -right;
      break;
    default:
      break;
  }
  if (x_step == 3) {
    for (int64_t y = 0; y < height; ++y) {
      std::memcpy(shown_.data() + y * width * 3, source + y * y_step,
                  static_cast<size_t>(width * 3));
    }
    return;
  }
  // In tiles, because the walk along a turned row touches a new line of memory at each pixel.
  constexpr int64_t kTile = 32;
  for (int64_t top = 0; top < height; top += kTile) {
    const int64_t bottom = std::min(height, top + kTile);
    for (int64_t left = 0; left < width; left += kTile) {
      const int64_t end = std::min(width, left + kTile);
      for (int64_t y = top; y < bottom; ++y) {
        uint8_t* target = shown_.data() + (y * width + left) * 3;
        for (int64_t x = left; x < end; ++x, target += 3) {
          std::memcpy(target, source + x * x_step + y * y_step, 3);
        }
      }
    }
  }
}

}  // namespace ata::ffmpeg
