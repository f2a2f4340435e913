/// @file video.hpp
/// Part of ata.hpp: reading, sampling and writing videos.
#ifndef ATA_VIDEO_HPP_
#define ATA_VIDEO_HPP_

#include <algorithm>
#include <ata/model.hpp>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// Frames and when each of them starts, in seconds from the video's first frame.
struct TimedFrames {
  Tensor frames;              ///< u8 `[T, H, W, 3]`, or a clip f32 `[1, 3, T, H, W]`.
  std::vector<double> times;  ///< One for each frame.
};

/// An open video: a file, on disk or in memory, or a folder of numbered JPEG or PNG frames. One
/// thread at a time.
class VideoReader {
 public:
  /// Opens a file, or a folder of frames; see ata_video_open().
  explicit VideoReader(const std::string& path,
                       const ata_video_options& options = defaults<ata_video_options>())
      : handle_(detail::make<ata_video>(
            [&](ata_video** out) { return ata_video_open(path.c_str(), &options, out); })) {}

  /// Opens a video that is in memory; see ata_video_open_memory(). The bytes are copied. `name` is
  /// for messages.
  static VideoReader open_memory(std::span<const std::byte> content,
                                 const ata_video_options& options = defaults<ata_video_options>(),
                                 const std::string& name = {}) {
    return VideoReader(detail::make<ata_video>([&](ata_video** out) {
      return ata_video_open_memory(content.data(), content.size(), name.c_str(), nullptr, nullptr,
                                   &options, out);
    }));
  }

  /// The same without a copy: the bytes stay as they are while `owner` does, which the video and
  /// its views keep as long as they need them.
  static VideoReader open_memory(std::span<const std::byte> content,
                                 std::shared_ptr<const void> owner,
                                 const ata_video_options& options = defaults<ata_video_options>(),
                                 const std::string& name = {}) {
    using Owner = std::shared_ptr<const void>;
    auto kept = std::make_unique<Owner>(std::move(owner));
    VideoReader reader(detail::make<ata_video>([&](ata_video** out) {
      return ata_video_open_memory(
          content.data(), content.size(), name.c_str(),
          [](void* user_data) { delete static_cast<Owner*>(user_data); }, kept.get(), &options,
          out);
    }));
    static_cast<void>(kept.release());
    return reader;
  }

  /// Size, duration, frame rate, codec.
  ata_video_info info() const {
    ata_video_info info = {};
    info.struct_size = sizeof info;
    detail::check(ata_video_get_info(handle_.get(), &info));
    return info;
  }

  /// What the frames kept in memory take, in bytes (ata_video_options::keep_bytes).
  int64_t kept_bytes() const {
    int64_t bytes = 0;
    detail::check(ata_video_get_kept_bytes(handle_.get(), &bytes));
    return bytes;
  }

  /// Decodes the frames shown at `times` (seconds from the first frame, ascending): u8
  /// `[count, H, W, 3]`, RGB.
  TimedFrames read(std::span<const double> times, const Cancellation* cancellation = nullptr) {
    std::vector<double> starts(times.size());
    Tensor frames(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_video_read(handle_.get(), times.data(), times.size(), detail::raw(cancellation),
                            out, starts.data());
    }));
    return {std::move(frames), std::move(starts)};
  }

  /// Samples a clip as a model sees it: f32 `[1, 3, T, size, size]`, normalised.
  TimedFrames sample(const ata_clip_options& options = defaults<ata_clip_options>(),
                     const Cancellation* cancellation = nullptr) {
    std::vector<double> starts(static_cast<size_t>(std::max(options.frames, 0)));
    Tensor clip(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_video_sample(handle_.get(), &options, detail::raw(cancellation), out,
                              starts.data());
    }));
    return {std::move(clip), std::move(starts)};
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_video* get() const noexcept { return handle_.get(); }

 private:
  explicit VideoReader(ata_video* handle) : handle_(handle) {}

  detail::Handle<ata_video, ata_video_release> handle_;
};

/// Several clips of a video, sampled one after another so that no frame is decoded twice. Used,
/// like the reader and together with it, by one thread at a time; it keeps what it needs of the
/// reader.
class VideoViews {
 public:
  /// The clips that `options` ask for, of the reader's video; see ata_video_views_create().
  VideoViews(const VideoReader& reader, std::span<const ata_clip_options> options)
      : handle_(detail::make<ata_video_views>([&](ata_video_views** out) {
          return ata_video_views_create(reader.get(), options.data(), options.size(), out);
        })) {
    for (const ata_clip_options& view : options) frames_.push_back(view.frames);
  }

  /// The next clip, as VideoReader::sample() would give it; nothing after the last.
  std::optional<TimedFrames> next(const Cancellation* cancellation = nullptr) {
    if (next_ == frames_.size()) return std::nullopt;
    std::vector<double> starts(static_cast<size_t>(std::max(frames_[next_], 0)));
    Tensor clip(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_video_views_sample_next(handle_.get(), detail::raw(cancellation), out,
                                         starts.data());
    }));
    ++next_;
    return TimedFrames{std::move(clip), std::move(starts)};
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_video_views* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_video_views, ata_video_views_release> handle_;
  std::vector<int32_t> frames_;  // of each clip
  size_t next_ = 0;
};

/// The clip options by which `model` sees a video: its frames, frame size and normalisation.
inline ata_clip_options clip_options(const Model& model) {
  const ata_model_config config = model.config();
  auto options = defaults<ata_clip_options>();
  options.frames = config.frames;
  options.size = config.image_size;
  std::copy(std::begin(config.mean), std::end(config.mean), options.mean);
  std::copy(std::begin(config.std), std::end(config.std), options.std);
  return options;
}

/// Samples a clip of frames that are in memory: f32 `[1, 3, T, size, size]`, normalised; see
/// ata_clip_from_frames(). `planes` has the addresses of each frame's planes, frame by frame.
inline TimedFrames clip_from_frames(std::span<const void* const> planes,
                                    const ata_frame_layout& layout,
                                    const ata_clip_options& options = defaults<ata_clip_options>(),
                                    const Cancellation* cancellation = nullptr) {
  const size_t of_frame = layout.format == ATA_PIXELS_NV12   ? 2
                          : layout.format == ATA_PIXELS_I420 ? 3
                                                             : 1;
  if (planes.size() % of_frame != 0) {
    throw Error(ATA_INVALID_ARGUMENT, std::to_string(planes.size()) +
                                          " planes are no whole number of frames of " +
                                          std::to_string(of_frame) + " planes");
  }
  std::vector<double> starts(static_cast<size_t>(std::max(options.frames, 0)));
  Tensor clip(detail::make<ata_tensor>([&](ata_tensor** out) {
    return ata_clip_from_frames(planes.data(), planes.size() / of_frame, &layout, &options,
                                detail::raw(cancellation), out, starts.data());
  }));
  return {std::move(clip), std::move(starts)};
}

/// Writes an image u8 `[H, W, 3]`, RGB, as `.png` or `.jpg`.
inline void write_image(const std::string& path, const Tensor& image) {
  detail::check(ata_image_write(path.c_str(), image.get()));
}

/// Writes a video file frame by frame. Destroyed before finish(), it leaves no file.
class VideoWriter {
 public:
  /// See ata_video_writer_create(); width and height are even.
  VideoWriter(const std::string& path, int32_t width, int32_t height, double fps)
      : handle_(detail::make<ata_video_writer>([&](ata_video_writer** out) {
          return ata_video_writer_create(path.c_str(), width, height, fps, out);
        })) {}

  /// Appends a frame u8 `[H, W, 3]`, RGB.
  void add(const Tensor& frame) { detail::check(ata_video_writer_add(handle_.get(), frame.get())); }

  /// Completes the file; no frame can be added afterwards.
  void finish() { detail::check(ata_video_writer_finish(handle_.get())); }

  /// The handle, for functions of the C API; it stays this object's.
  ata_video_writer* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_video_writer, ata_video_writer_release> handle_;
};

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_VIDEO_HPP_
