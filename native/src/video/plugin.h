#ifndef ATA_VIDEO_PLUGIN_H_
#define ATA_VIDEO_PLUGIN_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "base/file.h"
#include "base/plugin_loader.h"
#include "video/frame_times.h"

// What libata and libata_video, the plugin that links FFmpeg's libraries, say to each other. Errors
// cross as ata::Error. Nothing here mentions FFmpeg, so that libata builds and loads without it.

namespace ata {

/// A decoded frame as shown: u8 RGB, upright, square pixels, `info().width * 3` bytes a row.
struct DecodedFrame {
  const uint8_t* rgb;  ///< Valid during the call that received it.
  double time;         ///< Start in seconds from the first frame.
  size_t first;        ///< Index of the first of the times asked for that this frame answers...
  size_t count;        ///< ... and how many in a row it answers.
};
using FrameSink = std::function<void(const DecodedFrame&)>;

/// The clock of a video: by its ticks, counted from the first frame, times select frames.
struct FrameClock {
  double ticks_per_second = 1;
  double tolerance = 0;  ///< In ticks: how much after a time a frame still starts "at" it.

  int64_t tick_of(double time) const {
    const double ticks = std::floor(time * ticks_per_second + tolerance);
    return static_cast<int64_t>(std::clamp(ticks, 0.0, static_cast<double>(kMaxTick)));
  }
};

/// Receives a frame (its pixels are valid during the call), its start in ticks of the clock and in
/// seconds. Returns whether to go on.
using FrameVisitor = std::function<bool(const uint8_t* rgb, int64_t start, double time)>;

/// An open video. One thread at a time.
class ATA_EXPORT FrameDecoder {
 public:
  virtual ~FrameDecoder() = default;
  virtual const ata_video_info& info() const = 0;
  /// Hands each frame that `times` (finite, ascending seconds) ask for to `sink`, once, in order:
  /// the last frame that starts at or before a time; the first frame for earlier times, the last
  /// for times past the end. Containers round the starts of frames to the ticks of their clock, so
  /// a frame counts as starting "at" a time up to half a tick (at most half a millisecond) before
  /// its start. `cancelled` may be null.
  virtual void read(std::span<const double> times, const std::atomic<bool>* cancelled,
                    const FrameSink& sink) = 0;
  /// Hands all frames to `visit`, in order. Throws if read() would refuse any time.
  virtual void walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) = 0;
  /// read() chooses, for a time, the last frame that starts at or before clock().tick_of(time).
  virtual FrameClock clock() const = 0;
};

/// A video file being written. One thread at a time.
class ATA_EXPORT FrameEncoder {
 public:
  virtual ~FrameEncoder() = default;
  /// Appends a frame of `width * 3` bytes a row.
  virtual void add(const uint8_t* rgb) = 0;
  /// Writes what the codec still holds and the end of the file, and closes it.
  virtual void finish() = 0;
};

struct EncoderOptions {
  std::string file;       ///< File to write; its name's ending is not looked at.
  std::string shown_as;   ///< The path to name in errors.
  std::string container;  ///< "mp4", "mkv", "webm" or "avi".
  int width = 0;          ///< Even.
  int height = 0;         ///< Even.
  double fps = 0;         ///< Above 0.
};

enum class ImageFormat { kPng, kJpeg };

/// Longest side and largest area of a picture that is read, so that a lying header cannot ask for
/// all memory.
constexpr int kMaxPictureSide = 16384;
constexpr int64_t kMaxPicturePixels = int64_t{1} << 26;

/// Turns frames that come from no file into what a decoded frame with these planes is. One thread
/// at a time.
class ATA_EXPORT FrameUnpacker {
 public:
  virtual ~FrameUnpacker() = default;
  /// `height` rows of `width * 3` bytes, RGB, valid until the next call and while the planes are.
  virtual const uint8_t* unpack(const void* const* planes) = 0;
};

constexpr uint32_t kVideoPluginVersion = 3;
constexpr const char* kVideoPluginName = "ata_video";
constexpr const char* kVideoPluginEntry = "ata_video_plugin";

/// Filled by the plugin; what its entry function returns points to `header`.
struct VideoPlugin {
  PluginHeader header;
  /// FFmpeg's libraries and their versions: "libavcodec 59.37.100, ...".
  std::string (*library_versions)();
  std::unique_ptr<FrameDecoder> (*open_file)(std::shared_ptr<const InputFile> file,
                                             const ata_video_options& options);
  /// Shows each of `files` (at least one) for 1 / folder_fps seconds.
  std::unique_ptr<FrameDecoder> (*open_images)(std::vector<std::string> files,
                                               const ata_video_options& options);
  std::unique_ptr<FrameEncoder> (*create_encoder)(const EncoderOptions& options);
  /// Encodes `height` rows of `width * 3` bytes.
  std::vector<uint8_t> (*encode_image)(ImageFormat format, const uint8_t* rgb, int width,
                                       int height);
  /// For a layout of luma and chroma that was checked, with its strides filled in.
  std::unique_ptr<FrameUnpacker> (*create_yuv_unpacker)(const ata_frame_layout& layout);
};

}  // namespace ata

#endif  // ATA_VIDEO_PLUGIN_H_
