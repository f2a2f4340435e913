// Frames in memory: the clips that a video of the same pixels gives.
#include "video/memory_frames.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "clips.h"
#include "video/sampling.h"
#include "video/video.h"

namespace ata::test {
namespace {

using Bytes = std::vector<uint8_t>;

bool equal(const SampledClip& a, const SampledClip& b) {
  return a.times == b.times && a.clip.shape() == b.clip.shape() &&
         std::memcmp(a.clip.raw(), b.clip.raw(), a.clip.bytes()) == 0;
}

ata_frame_layout layout_of(ata_pixel_format format, int width, int height) {
  ata_frame_layout layout = default_frame_layout();
  layout.format = format;
  layout.width = width;
  layout.height = height;
  return layout;
}

ata_clip_options small_clip() {
  ata_clip_options options = default_clip_options();
  options.size = 24;
  options.frames = 4;
  options.stride = 2;
  return options;
}

/// Clips that differ in everything that chooses frames or changes them.
std::vector<ata_clip_options> many_clips() {
  std::vector<ata_clip_options> result(7, small_clip());
  result[1].sampling = ATA_SAMPLING_SEGMENTS;
  result[2].fps = 10;
  result[2].short_policy = ATA_SHORT_LOOP;
  result[3].clip_count = 3;
  result[3].clip_index = 2;
  result[3].flip = 1;
  result[4].interval_start = 0.11;
  result[4].interval_end = 0.3;
  result[4].short_policy = ATA_SHORT_REPEAT_LAST;
  result[5].interpolation = ATA_BICUBIC;
  result[5].crop_count = 3;
  result[5].crop_index = 2;
  result[6].offset = 0.13;
  result[6].resize = 30;
  return result;
}

/// The planes of frames that lie one after another, each plane's rows `gap` bytes apart.
class Planes {
 public:
  Planes(const std::string& packed, ata_frame_layout layout, int64_t gap) {
    layout_ = checked_layout(layout);
    const auto* from = reinterpret_cast<const uint8_t*>(packed.data());
    const uint8_t* const end = from + packed.size();
    while (from < end) {
      for (int plane = 0; plane < plane_count(layout_.format); ++plane) {
        const PlaneSize size = plane_size(layout_, plane);
        layout_.strides[plane] = size.row_bytes + gap;
        // Not a byte more than the last row, so that a sanitizer sees what reads too far.
        Bytes& bytes = memory_.emplace_back(
            static_cast<size_t>((size.rows - 1) * (size.row_bytes + gap) + size.row_bytes),
            uint8_t{99});
        for (int64_t y = 0; y < size.rows; ++y, from += size.row_bytes) {
          std::memcpy(bytes.data() + y * (size.row_bytes + gap), from,
                      static_cast<size_t>(size.row_bytes));
        }
      }
    }
    EXPECT_EQ(from, end);
    for (const Bytes& bytes : memory_) planes_.push_back(bytes.data());
  }

  SampledClip sample(const ata_clip_options& options) const {
    return sample_frames(planes_, layout_, options, nullptr);
  }

 private:
  ata_frame_layout layout_;
  std::vector<Bytes> memory_;
  std::vector<const void*> planes_;
};

void expect_clips_of(const std::string& video, const Planes& planes, double folder_fps = 25) {
  ata_video_options options = default_video_options();
  options.folder_fps = folder_fps;
  const auto reader = VideoReader::open(video, options);
  int index = 0;
  for (const ata_clip_options& clip : many_clips()) {
    SampledClip expected;
    expected.clip = reader->sample(clip, nullptr, &expected.times);
    EXPECT_TRUE(equal(planes.sample(clip), expected)) << "clip " << index << " of " << video;
    ++index;
  }
}

TEST(MemoryFrames, OfPackedPixelsAreAFolderOfThem) {
  if (!video_support().available) GTEST_SKIP() << "needs the video plugin";
  const int width = 37, height = 26, count = 12;
  const Scratch scratch;
  std::string packed[4];
  for (int i = 0; i < count; ++i) {
    const Tensor frame = synthetic_frame(height, width, 0.3 * i);
    write_image(scratch.path(concat("f", 100 + i, ".png")), frame);
    for (int pixel = 0; pixel < width * height; ++pixel) {
      const uint8_t* const rgb = frame.data<uint8_t>() + 3 * pixel;
      const char r = static_cast<char>(rgb[0]), g = static_cast<char>(rgb[1]),
                 b = static_cast<char>(rgb[2]), other = static_cast<char>(7 * pixel);
      packed[ATA_PIXELS_RGB] += {r, g, b};
      packed[ATA_PIXELS_BGR] += {b, g, r};
      packed[ATA_PIXELS_RGBA] += {r, g, b, other};
      packed[ATA_PIXELS_BGRA] += {b, g, r, other};
    }
  }
  for (const ata_pixel_format format :
       {ATA_PIXELS_RGB, ATA_PIXELS_BGR, ATA_PIXELS_RGBA, ATA_PIXELS_BGRA}) {
    for (const int64_t gap : {0, 11}) {
      for (const double fps : {25.0, 30000.0 / 1001}) {
        ata_frame_layout layout = layout_of(format, width, height);
        layout.fps = fps;
        expect_clips_of(scratch.folder().string(), Planes(packed[format], layout, gap), fps);
      }
    }
  }
}

struct Coding {
  const char* format;
  ata_pixel_format pixels;
  const char* colours;
  ata_colour_matrix matrix;
  ata_colour_range range;
};

TEST(MemoryFrames, OfLumaAndChromaAreAVideoOfThem) {
  if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
  const Scratch scratch;
  const Coding codings[] = {
      {"yuv420p", ATA_PIXELS_I420, "", ATA_MATRIX_UNKNOWN, ATA_RANGE_UNKNOWN},
      {"yuv420p", ATA_PIXELS_I420, "-colorspace smpte170m -color_range tv", ATA_MATRIX_BT601,
       ATA_RANGE_LIMITED},
      {"yuv420p", ATA_PIXELS_I420, "-colorspace bt709 -color_range tv", ATA_MATRIX_BT709,
       ATA_RANGE_LIMITED},
      {"yuv420p", ATA_PIXELS_I420, "-colorspace bt709 -color_range pc", ATA_MATRIX_BT709,
       ATA_RANGE_FULL},
      {"yuv420p", ATA_PIXELS_I420, "-colorspace bt2020nc -color_range tv", ATA_MATRIX_BT2020,
       ATA_RANGE_LIMITED},
      {"nv12", ATA_PIXELS_NV12, "", ATA_MATRIX_UNKNOWN, ATA_RANGE_UNKNOWN},
      {"nv12", ATA_PIXELS_NV12, "-colorspace bt709 -color_range pc", ATA_MATRIX_BT709,
       ATA_RANGE_FULL},
  };
  std::vector<SampledClip> clips;
  for (const Coding& coding : codings) {
    for (const auto& [width, height] : {std::pair(64, 48), std::pair(67, 45)}) {
      // Odd sizes are cut out before there is chroma.
      const std::string picture = moving_picture(80, 60, 25, 0.5) +
                                  concat(" -vf 'format=yuv444p,crop=", width, ":", height,
                                         ":exact=1,format=", coding.format, "' -c:v rawvideo ");
      const std::string video = scratch.path("clip.mkv"), raw = scratch.path("clip.yuv");
      ffmpeg(picture + coding.colours + " -allow_raw_vfw 1 '" + video + "'");
      ffmpeg("-i '" + video + "' -c copy -f rawvideo '" + raw + "'");
      ata_frame_layout layout = layout_of(coding.pixels, width, height);
      layout.matrix = coding.matrix;
      layout.range = coding.range;
      for (const int64_t gap : {0, 13}) {
        const Planes planes(read_file(raw), layout, gap);
        expect_clips_of(video, planes);
        if (gap == 0 && width == 64) clips.push_back(planes.sample(small_clip()));
      }
    }
  }
  // What is not said is limited BT.601; each other choice is another picture.
  EXPECT_TRUE(equal(clips[0], clips[1]));
  for (const size_t other : {2, 3, 4}) EXPECT_FALSE(equal(clips[0], clips[other])) << other;
  EXPECT_FALSE(equal(clips[5], clips[6]));
}

TEST(MemoryFrames, InTheirOrderWhenAsManyAsTheClipHas) {
  const ata_frame_layout layout = layout_of(ATA_PIXELS_RGB, 8, 8);
  std::string packed;
  for (int i = 0; i < 4; ++i) packed += std::string(8 * 8 * 3, static_cast<char>(60 * i));
  ata_clip_options options = small_clip();
  options.stride = 1;
  options.size = 8;
  const SampledClip sampled = Planes(packed, layout, 0).sample(options);
  EXPECT_EQ(sampled.times, (std::vector<double>{0, 0.04, 0.08, 0.12}));
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(sampled.clip.data<float>()[64 * i],
                (60.0 * static_cast<double>(i) / 255 - 0.45) / 0.225, 1e-5);
  }
}

TEST(MemoryFrames, OnlyWhatIsShownIsRead) {
  ata_frame_layout layout = layout_of(ATA_PIXELS_RGB, 8, 8);
  const Bytes shown(8 * 8 * 3, 50);
  // Addresses of no memory, where the clip shows nothing.
  const auto* const nowhere = reinterpret_cast<const void*>(uintptr_t{64});
  std::vector<const void*> planes(20, nowhere);
  for (size_t i = 0; i < 4; ++i) planes[10 + 2 * i] = shown.data();
  ata_clip_options options = small_clip();
  options.offset = 0.4;
  const SampledClip sampled = sample_frames(planes, layout, options, nullptr);
  EXPECT_DOUBLE_EQ(sampled.times.front(), 0.4);
}

TEST(MemoryFrames, SayWhatIsWrong) {
  const Bytes bytes(64 * 48 * 4);
  const std::vector<const void*> frames(10, bytes.data());
  const auto refusal = [&](ata_status status, const ata_frame_layout& layout) {
    return error_of(status, [&] { sample_frames(frames, layout, small_clip(), nullptr); });
  };
  const ata_frame_layout good = layout_of(ATA_PIXELS_RGB, 64, 48);
  const auto with = [&](const auto& change) {
    ata_frame_layout layout = good;
    change(layout);
    return refusal(ATA_INVALID_ARGUMENT, layout);
  };
  EXPECT_MENTIONS(with([](auto& l) { l.format = static_cast<ata_pixel_format>(6); }),
                  "format is 6");
  EXPECT_MENTIONS(with([](auto& l) { l.format = static_cast<ata_pixel_format>(-1); }),
                  "format is -1");
  EXPECT_MENTIONS(with([](auto& l) { l.width = 0; }), "frames of 0 x 48");
  EXPECT_MENTIONS(with([](auto& l) { l.height = -3; }), "frames of 64 x -3");
  EXPECT_MENTIONS(with([](auto& l) { l.width = INT32_MAX; }), "16384");
  EXPECT_MENTIONS(with([](auto& l) { l.width = l.height = 16384; }), "67108864");
  EXPECT_MENTIONS(with([](auto& l) { l.fps = 0; }), "fps is 0");
  EXPECT_MENTIONS(with([](auto& l) { l.fps = std::nan(""); }), "fps is nan");
  EXPECT_MENTIONS(with([](auto& l) { l.fps = std::numeric_limits<double>::infinity(); }),
                  "fps is inf");
  EXPECT_MENTIONS(with([](auto& l) { l.strides[0] = 191; }), "a row of this plane has 192");
  EXPECT_MENTIONS(with([](auto& l) { l.strides[0] = INT64_MAX; }), "strides[0]");
  EXPECT_MENTIONS(with([](auto& l) { l.strides[0] = -192; }), "strides[0] is -192");
  EXPECT_MENTIONS(with([](auto& l) { l.strides[1] = 64; }), "strides[1] is 64");
  EXPECT_MENTIONS(with([](auto& l) { l.matrix = ATA_MATRIX_BT709; }), "RGB already");
  EXPECT_MENTIONS(with([](auto& l) { l.range = static_cast<ata_colour_range>(3); }), "range is 3");
  EXPECT_MENTIONS(
      error_of(ATA_INVALID_ARGUMENT, [&] { sample_frames({}, good, small_clip(), nullptr); }),
      "no frames");
  std::vector<const void*> holed = frames;
  holed[7] = nullptr;
  EXPECT_MENTIONS(
      error_of(ATA_INVALID_ARGUMENT, [&] { sample_frames(holed, good, small_clip(), nullptr); }),
      "plane 0 of frame 7 is NULL");
  ata_clip_options longer = small_clip();
  longer.frames = 6;
  EXPECT_MENTIONS(error_of(ATA_BAD_VIDEO, [&] { sample_frames(frames, good, longer, nullptr); }),
                  "'<frames>' is too short");
  const std::atomic<bool> cancelled = true;
  error_of(ATA_CANCELLED, [&] { sample_frames(frames, good, small_clip(), &cancelled); });
}

}  // namespace
}  // namespace ata::test
