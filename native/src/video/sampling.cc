#include "video/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace ata {
namespace {

void check_range(int32_t value, int32_t low, int32_t high, const char* name) {
  require(value >= low && value <= high, name, " is ", value, "; valid values are ", low, " to ",
          high);
}

/// Applies the policy to the times of a clip that the video is too short for.
std::vector<double> extend(std::vector<double> times, const ata_clip_options& options,
                           double duration, double frame) {
  for (double& time : times) {
    if (options.short_policy == ATA_SHORT_LOOP) {
      // A quarter frame keeps a time that is a whole number of durations, up to rounding, at the
      // first frame.
      time = std::max(0.0, std::fmod(time + 0.25 * frame, duration) - 0.25 * frame);
    } else {
      time = std::min(time, std::max(0.0, duration - 0.5 * frame));
    }
  }
  return times;
}

[[noreturn]] void fail_short(const std::string& path, const std::string& needed,
                             const ata_video_info& info, const char* remedy) {
  fail(ATA_BAD_VIDEO, "'", path, "' is too short: ", needed, ", but it lasts ", info.duration,
       " s (", info.frame_count, info.frame_count == 1 ? " frame" : " frames", " at ", info.fps,
       " fps); ", remedy,
       ", or let the short policy repeat the last frame or loop (`--short repeat` or `--short "
       "loop`)");
}

std::vector<double> dense_times(const ata_clip_options& options, const ata_video_info& info,
                                const std::string& path) {
  const double rate = options.fps > 0 ? options.fps : info.fps;
  const double step = options.stride / rate;
  const double frame = 1.0 / info.fps;
  const double span = (options.frames - 1) * step;
  const bool automatic = options.offset < 0;
  double start = automatic ? 0.0 : options.offset;
  // Durations and rates are rounded in files; a quarter frame absorbs that.
  const bool is_short = start + span > info.duration - 0.25 * frame;
  if (is_short && options.short_policy == ATA_SHORT_ERROR) {
    fail_short(path,
               concat(options.frames, " frames, ", options.stride, " apart at ", rate, " fps from ",
                      start, " s, need ", start + span + frame, " s"),
               info, "use fewer frames, a smaller stride or an earlier offset");
  }
  if (automatic && !is_short) {
    const double free_frames = std::floor((info.duration - span - frame) * info.fps + 0.1);
    const double position = options.clip_count == 1 ? 0.5
                                                    : static_cast<double>(options.clip_index) /
                                                          (options.clip_count - 1);
    start = std::max(0.0, std::floor(free_frames * position + 1e-9)) * frame;
  }
  std::vector<double> times(static_cast<size_t>(options.frames));
  for (size_t i = 0; i < times.size(); ++i) times[i] = start + static_cast<double>(i) * step;
  return is_short ? extend(std::move(times), options, info.duration, frame) : times;
}

std::vector<double> segment_times(const ata_clip_options& options, const ata_video_info& info,
                                  const std::string& path) {
  const double frame = 1.0 / info.fps;
  std::vector<double> times(static_cast<size_t>(options.frames));
  if (info.frame_count < options.frames) {
    if (options.short_policy == ATA_SHORT_ERROR) {
      fail_short(path, concat(options.frames, " segments need ", options.frames, " frames"), info,
                 "use fewer frames");
    }
    for (size_t i = 0; i < times.size(); ++i) times[i] = static_cast<double>(i) * frame;
    return extend(std::move(times), options, info.duration, frame);
  }
  const double within = (options.clip_index + 0.5) / options.clip_count;
  for (size_t i = 0; i < times.size(); ++i) {
    times[i] = (static_cast<double>(i) + within) * info.duration / options.frames;
  }
  return times;
}

/// The part of a video that a clip is taken from, as a video of its own.
ata_video_info part_of(const ata_clip_options& options, ata_video_info info,
                       const std::string& path) {
  if (options.interval_start == 0 && options.interval_end == 0) return info;
  if (options.interval_start >= info.duration) {
    fail(ATA_BAD_VIDEO, "'", path, "' lasts ", info.duration,
         " s and ends before the interval that a clip is taken from, which begins at ",
         options.interval_start, " s");
  }
  double end = info.duration;
  if (options.interval_end > 0) end = std::min(end, options.interval_end);
  info.duration = end - options.interval_start;
  // A quarter frame absorbs rounding; a part shorter than a frame shows the one that it lies in.
  info.frame_count =
      std::max<int64_t>(1, static_cast<int64_t>(std::floor(info.duration * info.fps + 0.25)));
  return info;
}

}  // namespace

ata_clip_options default_clip_options() {
  ata_clip_options options = {};
  options.struct_size = sizeof(options);
  options.sampling = ATA_SAMPLING_DENSE;
  options.frames = 8;
  options.stride = 4;
  options.fps = 0;
  options.offset = -1;
  options.clip_index = 0;
  options.clip_count = 1;
  options.short_policy = ATA_SHORT_ERROR;
  options.resize = 0;
  options.size = 224;
  options.crop_index = 0;
  options.crop_count = 1;
  options.interval_start = 0;
  options.interval_end = 0;
  options.flip = 0;
  options.interpolation = ATA_BILINEAR;
  std::fill(std::begin(options.mean), std::end(options.mean), 0.45f);
  std::fill(std::begin(options.std), std::end(options.std), 0.225f);
  return options;
}

void check_clip_options(const ata_clip_options& options) {
  check_range(options.sampling, ATA_SAMPLING_DENSE, ATA_SAMPLING_SEGMENTS, "sampling");
  check_range(options.frames, 1, ATA_MAX_FRAMES, "frames");
  require(options.stride > 0 && options.stride <= ATA_MAX_RATE, "stride is ", options.stride,
          "; it must be above 0 and at most ", ATA_MAX_RATE);
  require(options.fps >= 0 && options.fps <= ATA_MAX_RATE, "fps is ", options.fps,
          "; it must be above 0 and at most ", ATA_MAX_RATE, ", or 0 for the video's own");
  require(std::isfinite(options.offset) && options.offset <= ATA_MAX_SECONDS, "offset is ",
          options.offset, "; it must be at most ", ATA_MAX_SECONDS,
          " seconds, or negative to place the clip automatically");
  require(options.clip_count >= 1, "clip_count is ", options.clip_count, "; it must be at least 1");
  check_range(options.clip_index, 0, options.clip_count - 1, "clip_index");
  check_range(options.short_policy, ATA_SHORT_ERROR, ATA_SHORT_LOOP, "short_policy");
  check_range(options.size, 1, ATA_MAX_IMAGE_SIZE, "size");
  check_range(options.resize, 0, ATA_MAX_IMAGE_SIZE, "resize");
  require(options.resize == 0 || options.resize >= options.size, "resize is ", options.resize,
          ", smaller than size, ", options.size, "; the crop would not fit into the resized frame");
  require(options.crop_count == 1 || options.crop_count == 3, "crop_count is ", options.crop_count,
          "; valid values are 1 and 3");
  check_range(options.crop_index, 0, options.crop_count - 1, "crop_index");
  check_range(options.flip, 0, 1, "flip");
  check_range(options.interpolation, ATA_BILINEAR, ATA_BICUBIC, "interpolation");
  for (int c = 0; c < 3; ++c) {
    require(std::isfinite(options.mean[c]), "mean[", c, "] is ", options.mean[c],
            "; it must be a finite number");
    require(std::isfinite(options.std[c]) && options.std[c] > 0, "std[", c, "] is ", options.std[c],
            "; it must be above 0");
  }
  require(std::isfinite(options.interval_start) && options.interval_start >= 0,
          "interval_start is ", options.interval_start,
          "; it must be a number of seconds, at least 0");
  require(options.interval_end == 0 || (std::isfinite(options.interval_end) &&
                                        options.interval_end > options.interval_start),
          "interval_end is ", options.interval_end, "; it must be above interval_start, ",
          options.interval_start, ", or 0 for the end of the video");
  const float* crop = options.crop_rectangle;
  if (std::any_of(crop, crop + 4, [](float value) { return value != 0; })) {
    // The sum may exceed 1 by the rounding of a caller's single precision.
    const bool inside = crop[0] >= 0 && crop[1] >= 0 && crop[2] > 0 && crop[3] > 0 &&
                        crop[0] + crop[2] <= 1.00001f && crop[1] + crop[3] <= 1.00001f;
    require(inside, "crop_rectangle is left ", crop[0], ", top ", crop[1], ", width ", crop[2],
            ", height ", crop[3], "; it must lie within 0..1 and have an area");
  }
}

std::vector<double> clip_times(const ata_clip_options& options, const ata_video_info& info,
                               const std::string& path) {
  check_clip_options(options);
  const ata_video_info part = part_of(options, info, path);
  std::vector<double> times = options.sampling == ATA_SAMPLING_DENSE
                                  ? dense_times(options, part, path)
                                  : segment_times(options, part, path);
  for (double& time : times) time += options.interval_start;
  return times;
}

}  // namespace ata
