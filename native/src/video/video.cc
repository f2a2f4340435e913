#include "video/video.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "video/image_folder.h"
#include "video/memory_frames.h"
#include "video/sampling.h"

namespace ata {
namespace {

struct LoadedPlugin {
  PluginLoad load;
  const VideoPlugin* plugin = nullptr;
};

/// Success is final; a failure is tried again by the next caller, who may have installed FFmpeg.
LoadedPlugin load_video_plugin() {
  static std::mutex mutex;
  static LoadedPlugin loaded;
  std::lock_guard lock(mutex);
  if (!loaded.plugin) {
    loaded.load = load_plugin(kVideoPluginName, kVideoPluginEntry, kVideoPluginVersion);
    loaded.plugin = reinterpret_cast<const VideoPlugin*>(loaded.load.table);
  }
  return loaded;
}

const VideoPlugin& video_plugin() {
  const LoadedPlugin loaded = load_video_plugin();
  if (!loaded.plugin) {
    fail(
        ATA_LIBRARY_UNAVAILABLE, "videos and images need ", plugin_file_name(kVideoPluginName),
        ", which cannot be loaded: ", loaded.load.reason(), "; ",
        loaded.load.refused_file().empty()
            ? "install it beside Ata's library, in .NET by the package Ata.Runtime"
            : "install what it needs, FFmpeg's libraries of the version that it was built with, or "
              "take the one of Ata's packages, which needs none");
  }
  return *loaded.plugin;
}

void check_times(std::span<const double> times) {
  require(!times.empty(), "no times were given; ask for at least one frame");
  for (size_t i = 0; i < times.size(); ++i) {
    require(std::isfinite(times[i]), "times[", i, "] is ", times[i],
            "; it must be a finite number of seconds");
    require(i == 0 || times[i] >= times[i - 1], "times[", i, "] is ", times[i], ", before times[",
            i - 1, "], ", times[i - 1], "; times must be ascending");
  }
}

std::string lower_extension(const std::string& path) {
  std::string extension = utf8_path(native_path(path).extension());
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

void check_image(const Tensor& image, const char* what) {
  require(image.defined() && image.dtype() == DType::kU8 && image.rank() == 3 &&
              image.dim(2) == 3 && image.dim(0) > 0 && image.dim(1) > 0,
          what, " must be a u8 tensor [height, width, 3]",
          image.defined()
              ? concat(", not ", dtype_name(image.dtype()), " ", image.shape().to_string())
              : std::string());
}

}  // namespace

ata_video_options default_video_options() {
  ata_video_options options = {};
  options.struct_size = sizeof(options);
  options.folder_fps = 25;
  options.threads = 0;
  options.keep_bytes = 0;
  return options;
}

namespace {

void check_video_options(const ata_video_options& options) {
  require(options.threads >= 0 && options.threads <= ATA_MAX_THREADS, "threads is ",
          options.threads, "; valid values are 0 (the codec chooses) to ", ATA_MAX_THREADS);
  require(std::isfinite(options.folder_fps) && options.folder_fps > 0 && options.folder_fps <= 1e6,
          "folder_fps is ", options.folder_fps, "; it must be above 0 and at most 1e6");
  require(options.keep_bytes >= 0, "keep_bytes is ", options.keep_bytes,
          "; give the number of bytes that frames may take in memory, or 0 to keep none");
}

}  // namespace

std::unique_ptr<VideoReader> VideoReader::open(const std::string& path,
                                               const ata_video_options& options) {
  check_video_options(options);
  std::error_code code;
  const auto status = std::filesystem::status(native_path(path), code);
  if (!std::filesystem::exists(status)) {
    fail(ATA_NOT_FOUND, "no such video file or folder of frames: '", path, "'");
  }
  // Opening a pipe or a device could wait for ever.
  if (!std::filesystem::is_regular_file(status) && !std::filesystem::is_directory(status)) {
    fail(ATA_BAD_VIDEO, "'", path, "' is neither a file nor a folder; give a video file");
  }
  if (std::filesystem::is_regular_file(status)) {
    return open(std::make_shared<const InputFile>(path), options);
  }
  return std::unique_ptr<VideoReader>(new VideoReader(
      path, video_plugin().open_images(list_frame_files(path), options), options.keep_bytes));
}

std::unique_ptr<VideoReader> VideoReader::open(std::shared_ptr<const InputFile> file,
                                               const ata_video_options& options) {
  check_video_options(options);
  std::string name = file->path();
  std::unique_ptr<FrameDecoder> decoder = video_plugin().open_file(std::move(file), options);
  return std::unique_ptr<VideoReader>(
      new VideoReader(std::move(name), std::move(decoder), options.keep_bytes));
}

VideoReader::VideoReader(std::string path, std::unique_ptr<FrameDecoder> decoder,
                         int64_t keep_bytes)
    : path_(std::move(path)), decoder_(std::move(decoder)) {
  if (keep_bytes == 0) return;
  auto kept = std::make_unique<KeptFrames>(path_, std::move(decoder_), keep_bytes);
  kept_ = kept.get();
  decoder_ = std::move(kept);
}

Tensor VideoReader::read(std::span<const double> times, const std::atomic<bool>* cancelled,
                         std::vector<double>* frame_times) {
  check_times(times);
  const int64_t height = info().height, width = info().width;
  Tensor frames({static_cast<int64_t>(times.size()), height, width, 3}, DType::kU8);
  std::vector<double> starts(times.size());
  const size_t frame_bytes = static_cast<size_t>(height * width * 3);
  uint8_t* const data = frames.data<uint8_t>();
  decoder_->read(times, cancelled, [&](const DecodedFrame& frame) {
    for (size_t i = frame.first; i < frame.first + frame.count; ++i) {
      std::memcpy(data + i * frame_bytes, frame.rgb, frame_bytes);
      starts[i] = frame.time;
    }
  });
  if (frame_times) *frame_times = std::move(starts);
  return frames;
}

Tensor VideoReader::sample(const ata_clip_options& options, const std::atomic<bool>* cancelled,
                           std::vector<double>* frame_times) {
  SampledClip sampled = *views({options}).next(cancelled);
  if (frame_times) *frame_times = std::move(sampled.times);
  return std::move(sampled.clip);
}

ViewSampler VideoReader::views(std::vector<ata_clip_options> views) {
  return ViewSampler(*decoder_, path_, std::move(views));
}

SampledClip sample_frames(std::span<const void* const> planes, const ata_frame_layout& layout,
                          const ata_clip_options& options, const std::atomic<bool>* cancelled) {
  const ata_frame_layout checked = checked_layout(layout);
  require(!planes.empty(), "there are no frames; give at least one");
  const auto absent = std::find(planes.begin(), planes.end(), nullptr);
  if (absent != planes.end()) {
    const auto index = static_cast<int64_t>(absent - planes.begin());
    const int count = plane_count(checked.format);
    fail(ATA_INVALID_ARGUMENT, "plane ", index % count, " of frame ", index / count, " is NULL");
  }
  MemoryFrames frames(planes, checked,
                      is_yuv(checked.format) ? video_plugin().create_yuv_unpacker(checked)
                                             : make_packed_unpacker(checked));
  return *ViewSampler(frames, kFramesInMemory, {options}).next(cancelled);
}

void write_image(const std::string& path, const Tensor& image) {
  const std::string extension = lower_extension(path);
  const bool png = extension == ".png";
  require(png || extension == ".jpg" || extension == ".jpeg", "'", path,
          "' does not end in .png, .jpg or .jpeg; the ending selects the format");
  check_image(image, "an image");
  constexpr int64_t kMaxSide = 65535;  // JPEG's limit
  require(image.dim(0) <= kMaxSide && image.dim(1) <= kMaxSide, "an image of ", image.dim(1), " x ",
          image.dim(0), " pixels is too large; the limit is ", kMaxSide, " a side");
  const std::vector<uint8_t> bytes = video_plugin().encode_image(
      png ? ImageFormat::kPng : ImageFormat::kJpeg, image.data<uint8_t>(),
      static_cast<int>(image.dim(1)), static_cast<int>(image.dim(0)));
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

VideoWriter::VideoWriter(const std::string& path, int width, int height, double fps)
    : path_(path), width_(width), height_(height) {
  const std::string extension = lower_extension(path);
  require(extension == ".mp4" || extension == ".mkv" || extension == ".webm" || extension == ".avi",
          "'", path, "' does not end in .mp4, .mkv, .webm or .avi; the ending selects the format");
  constexpr int kMaxSide = 8192;
  for (const int side : {width, height}) {
    require(side >= 16 && side <= kMaxSide && side % 2 == 0, "a video of ", width, " x ", height,
            " pixels cannot be written; width and height must be even, 16 to ", kMaxSide);
  }
  require(std::isfinite(fps) && fps >= 0.01 && fps <= 1000, "a video of ", fps,
          " frames per second cannot be written; the rate must be 0.01 to 1000");
  const VideoPlugin& plugin = video_plugin();
  place_.emplace(path);
  encoder_ = plugin.create_encoder(
      {place_->temporary_path(), path, extension.substr(1), width, height, fps});
}

void VideoWriter::add(const Tensor& frame) {
  if (!encoder_) fail(ATA_INVALID_STATE, "'", path_, "' is complete; no frame can be added");
  check_image(frame, "a frame");
  require(frame.dim(0) == height_ && frame.dim(1) == width_, "a frame of ", frame.dim(1), " x ",
          frame.dim(0), " pixels does not fit the video '", path_, "' of ", width_, " x ", height_);
  encoder_->add(frame.data<uint8_t>());
  ++frame_count_;
}

void VideoWriter::finish() {
  if (!encoder_) fail(ATA_INVALID_STATE, "'", path_, "' is complete already");
  if (frame_count_ == 0) {
    fail(ATA_INVALID_STATE, "'", path_, "' has no frames; add at least one");
  }
  encoder_->finish();
  encoder_.reset();
  place_->commit();
}

VideoSupport video_support() {
  const LoadedPlugin loaded = load_video_plugin();
  VideoSupport support;
  support.available = loaded.plugin != nullptr;
  support.path = loaded.load.path;
  if (loaded.plugin) support.library_versions = loaded.plugin->library_versions();
  support.reason = loaded.load.reason();
  support.attempts = loaded.load.attempts;
  return support;
}

}  // namespace ata
