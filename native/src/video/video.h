#ifndef ATA_VIDEO_VIDEO_H_
#define ATA_VIDEO_VIDEO_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "base/file.h"
#include "base/plugin_loader.h"
#include "tensor/tensor.h"
#include "video/kept_frames.h"
#include "video/plugin.h"
#include "video/views.h"

namespace ata {

/// An open video, a file (on disk or in memory) or a folder of numbered images. Distinct readers
/// may be used from distinct threads at once; one reader by one thread at a time. After an error a
/// reader can be used again.
class VideoReader {
 public:
  /// Throws ATA_NOT_FOUND, ATA_BAD_VIDEO naming path and reason, ATA_UNSUPPORTED for a codec that
  /// the FFmpeg that Ata was built with lacks, or ATA_LIBRARY_UNAVAILABLE.
  static std::unique_ptr<VideoReader> open(const std::string& path,
                                           const ata_video_options& options);
  static std::unique_ptr<VideoReader> open(std::shared_ptr<const InputFile> file,
                                           const ata_video_options& options);

  const ata_video_info& info() const { return decoder_->info(); }

  /// What the frames kept in memory take, in bytes: 0 before the first read, and where none are.
  int64_t kept_bytes() const { return kept_ ? kept_->bytes() : 0; }

  /// The frames shown at `times` (finite, ascending seconds from the first frame), as specified at
  /// FrameDecoder::read. Returns u8 `[times.size(), H, W, 3]`; `frame_times`, if not null, receives
  /// the frames' start times. `cancelled` may be null.
  Tensor read(std::span<const double> times, const std::atomic<bool>* cancelled,
              std::vector<double>* frame_times);

  /// A clip as a model sees it: f32 `[1, 3, T, size, size]`. See sampling.h for which frames and
  /// transform.h for what happens to them. Peak memory is the clip's and a few frames'.
  Tensor sample(const ata_clip_options& options, const std::atomic<bool>* cancelled,
                std::vector<double>* frame_times);

  /// Several clips, each as sample() gives it, for which no frame is decoded twice. This object
  /// must outlive it; other reads in between are allowed, but may cost decoding.
  ViewSampler views(std::vector<ata_clip_options> views);

 private:
  VideoReader(std::string path, std::unique_ptr<FrameDecoder> decoder, int64_t keep_bytes);

  std::string path_;
  std::unique_ptr<FrameDecoder> decoder_;
  const KeptFrames* kept_ = nullptr;  // decoder_ if it keeps frames
};

ata_video_options default_video_options();

/// A clip of frames that were not decoded: as VideoReader::sample() of a video of constant rate
/// that shows them one after another. `planes` has plane_count() addresses a frame
/// (memory_frames.h). Throws ATA_INVALID_ARGUMENT, ATA_BAD_VIDEO for too few frames, and for
/// layouts of luma and chroma ATA_LIBRARY_UNAVAILABLE.
SampledClip sample_frames(std::span<const void* const> planes, const ata_frame_layout& layout,
                          const ata_clip_options& options, const std::atomic<bool>* cancelled);

/// Writes u8 `[H, W, 3]` as `.png`, `.jpg` or `.jpeg` by the path's extension. `path` is never
/// half-written.
void write_image(const std::string& path, const Tensor& image);

/// Writes a video file frame by frame; `path` appears when finish() succeeds. One thread at a time.
class VideoWriter {
 public:
  /// The container is chosen by the extension of `path`: mp4, mkv, webm, avi.
  VideoWriter(const std::string& path, int width, int height, double fps);
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  /// Appends u8 `[height, width, 3]`.
  void add(const Tensor& frame);
  void finish();

 private:
  std::string path_;
  int width_;
  int height_;
  int64_t frame_count_ = 0;
  // Removes what was written unless finish() succeeded; the encoder closes it first.
  std::optional<OutputPlace> place_;
  std::unique_ptr<FrameEncoder> encoder_;
};

/// What is known about the plugin, for ata_runtime_diagnose(). Tries to load it if nothing has yet.
struct VideoSupport {
  bool available;
  std::string path;                     ///< The plugin's file.
  std::string library_versions;         ///< FFmpeg's libraries.
  std::string reason;                   ///< Why it is not available.
  std::vector<PluginAttempt> attempts;  ///< Files tried without success.
};
VideoSupport video_support();

}  // namespace ata

#endif  // ATA_VIDEO_VIDEO_H_
