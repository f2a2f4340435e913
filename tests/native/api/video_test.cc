#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "handles.h"
#include "support/mentions.h"
#include "support/scratch.h"
#include "support/test_data.h"

namespace {

class CApiVideo : public testing::Test {
 protected:
  void SetUp() override {
    ata_video_writer* writer = nullptr;
    const ata_status status = ata_video_writer_create(path_.c_str(), 64, 48, 10, &writer);
    if (status == ATA_LIBRARY_UNAVAILABLE) GTEST_SKIP() << ata_last_error();
    ASSERT_EQ(status, ATA_OK) << ata_last_error();
    const int64_t shape[] = {48, 64, 3};
    ata_tensor* frame = nullptr;
    ASSERT_EQ(ata_tensor_create(ATA_U8, shape, 3, nullptr, &frame), ATA_OK);
    const ata_tensor_info info = info_of(frame);
    for (int i = 0; i < 20; ++i) {
      std::memset(info.data, 10 * i, info.size);
      ASSERT_EQ(ata_video_writer_add(writer, frame), ATA_OK) << ata_last_error();
    }
    ASSERT_EQ(ata_video_writer_finish(writer), ATA_OK) << ata_last_error();
    ata_video_writer_release(writer);
    ata_tensor_release(frame);
  }

  const ata::Scratch scratch_;
  const std::string path_ = scratch_.path("video.mp4");
};

TEST_F(CApiVideo, WrittenVideoIsDescribedReadAndSampled) {
  ata_video* video = nullptr;
  ASSERT_EQ(ata_video_open(path_.c_str(), nullptr, &video), ATA_OK) << ata_last_error();
  ata_video_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(ata_video_get_info(video, &info), ATA_OK);
  EXPECT_EQ(info.width, 64);
  EXPECT_EQ(info.height, 48);
  EXPECT_EQ(info.frame_count, 20);
  EXPECT_NEAR(info.fps, 10, 1e-6);

  const double times[] = {0.0, 0.55, 1.9};
  double starts[3];
  ata_tensor* frames = nullptr;
  ASSERT_EQ(ata_video_read(video, times, 3, nullptr, &frames, starts), ATA_OK) << ata_last_error();
  EXPECT_NEAR(starts[1], 0.5, 1e-3);
  const ata_tensor_info pixels = info_of(frames);
  EXPECT_NEAR(static_cast<const uint8_t*>(pixels.data)[pixels.size / 3 + 100], 50, 6);
  ata_tensor_release(frames);

  ata_clip_options options;
  ASSERT_EQ(ata_clip_options_init(&options, sizeof(options)), ATA_OK);
  options.frames = 4;
  options.size = 32;
  ata_tensor* clip = nullptr;
  ASSERT_EQ(ata_video_sample(video, &options, nullptr, &clip, nullptr), ATA_OK) << ata_last_error();
  const ata_tensor_info shape = info_of(clip);
  EXPECT_EQ(shape.rank, 5);
  EXPECT_EQ(shape.shape[2], 4);
  EXPECT_EQ(shape.shape[4], 32);
  ata_tensor_release(clip);

  clip = nullptr;
  options.frames = 400;
  EXPECT_EQ(ata_video_sample(video, &options, nullptr, &clip, nullptr), ATA_BAD_VIDEO);
  EXPECT_EQ(clip, nullptr);
  ata_video_release(video);
}

// Counts how often the memory was given back.
void count_release(void* user_data) {
  ++*static_cast<int*>(user_data);
}

TEST_F(CApiVideo, MemoryIsReadAsTheFileIs) {
  ata_clip_options options;
  ASSERT_EQ(ata_clip_options_init(&options, sizeof(options)), ATA_OK);
  options.frames = 4;
  options.size = 32;
  const auto sample = [&](ata_video* video) {
    ata_tensor* clip = nullptr;
    EXPECT_EQ(ata_video_sample(video, &options, nullptr, &clip, nullptr), ATA_OK)
        << ata_last_error();
    const ata_tensor_info info = info_of(clip);
    std::string bytes(static_cast<const char*>(info.data), info.size);
    ata_tensor_release(clip);
    return bytes;
  };
  ata_video* video = nullptr;
  ASSERT_EQ(ata_video_open(path_.c_str(), nullptr, &video), ATA_OK) << ata_last_error();
  const std::string expected = sample(video);
  ata_video_release(video);

  std::string content = ata::read_file(path_);
  ASSERT_EQ(ata_video_open_memory(content.data(), content.size(), nullptr, nullptr, nullptr,
                                  nullptr, &video),
            ATA_OK)
      << ata_last_error();
  // It was copied.
  std::fill(content.begin(), content.end(), '\0');
  EXPECT_EQ(sample(video), expected);
  ata_video_release(video);

  content = ata::read_file(path_);
  int released = 0;
  ASSERT_EQ(ata_video_open_memory(content.data(), content.size(), "clip", count_release, &released,
                                  nullptr, &video),
            ATA_OK)
      << ata_last_error();
  EXPECT_EQ(sample(video), expected);
  // Views keep what they need of their video.
  ata_video_views* views = nullptr;
  ASSERT_EQ(ata_video_views_create(video, &options, 1, &views), ATA_OK) << ata_last_error();
  ata_video_release(video);
  EXPECT_EQ(released, 0);
  ata_tensor* clip = nullptr;
  ASSERT_EQ(ata_video_views_sample_next(views, nullptr, &clip, nullptr), ATA_OK);
  ata_tensor_release(clip);
  ata_video_views_release(views);
  EXPECT_EQ(released, 1);
}

TEST_F(CApiVideo, MemoryThatIsRefusedStaysTheCallers) {
  const std::string content = ata::read_file(path_);
  ata_video* video = nullptr;
  int released = 0;
  const auto refusal = [&](const void* data, size_t size, const ata_video_options* options) {
    const ata_status status =
        ata_video_open_memory(data, size, "the upload", count_release, &released, options, &video);
    EXPECT_EQ(video, nullptr);
    EXPECT_EQ(released, 0);
    return status;
  };
  EXPECT_EQ(refusal(nullptr, 5, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(content.data(), SIZE_MAX, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(nullptr, 0, nullptr), ATA_BAD_VIDEO);
  EXPECT_MENTIONS(ata_last_error(), "'the upload' is empty");
  EXPECT_EQ(refusal(content.data(), 40, nullptr), ATA_BAD_VIDEO);
  EXPECT_MENTIONS(ata_last_error(), "'the upload'");
  ata_video_options options;
  ASSERT_EQ(ata_video_options_init(&options, sizeof(options)), ATA_OK);
  options.threads = -1;
  EXPECT_EQ(refusal(content.data(), content.size(), &options), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_video_open_memory(content.data(), content.size(), nullptr, nullptr, nullptr,
                                  nullptr, nullptr),
            ATA_INVALID_ARGUMENT);
  // Without a function, too.
  EXPECT_EQ(
      ata_video_open_memory(content.data(), SIZE_MAX, nullptr, nullptr, nullptr, nullptr, &video),
      ATA_INVALID_ARGUMENT);
}

TEST(CApiFrames, BecomeAClipAndErrorsAreSaid) {
  const std::vector<unsigned char> pixels(8 * 8 * 3, 90);
  const std::vector<const void*> planes(4, pixels.data());
  ata_frame_layout layout;
  ASSERT_EQ(ata_frame_layout_init(&layout, sizeof(layout)), ATA_OK);
  EXPECT_EQ(layout.format, ATA_PIXELS_RGB);
  EXPECT_EQ(layout.fps, 25);
  layout.width = layout.height = 8;
  ata_clip_options options;
  ASSERT_EQ(ata_clip_options_init(&options, sizeof(options)), ATA_OK);
  options.frames = 4;
  options.stride = 1;
  options.size = 8;
  ata_tensor* clip = nullptr;
  double times[4] = {};
  ASSERT_EQ(ata_clip_from_frames(planes.data(), 4, &layout, &options, nullptr, &clip, times),
            ATA_OK)
      << ata_last_error();
  EXPECT_EQ(times[3], 0.12);
  const ata_tensor_info info = info_of(clip);
  EXPECT_EQ(info.rank, 5);
  EXPECT_NEAR(static_cast<const float*>(info.data)[0], (90.0 / 255 - 0.45) / 0.225, 1e-5);
  ata_tensor_release(clip);

  clip = nullptr;
  const auto refusal = [&](const void* const* given, size_t count, const ata_frame_layout* how) {
    const ata_status status =
        ata_clip_from_frames(given, count, how, &options, nullptr, &clip, nullptr);
    EXPECT_EQ(clip, nullptr);
    return status;
  };
  EXPECT_EQ(refusal(nullptr, 4, &layout), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(planes.data(), 4, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(planes.data(), 0, &layout), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(refusal(planes.data(), SIZE_MAX, &layout), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "count is");
  EXPECT_EQ(refusal(planes.data(), 3, &layout), ATA_BAD_VIDEO);
  layout.format = static_cast<ata_pixel_format>(77);
  EXPECT_EQ(refusal(planes.data(), 4, &layout), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "ata_frame_layout.format is 77");
}

TEST_F(CApiVideo, WhatIsNotAVideoIsNamed) {
  ata_video* video = nullptr;
  EXPECT_EQ(ata_video_open("no/such.mp4", nullptr, &video), ATA_NOT_FOUND);
  const std::string model = ata::test_data("tiny-ata.safetensors");
  EXPECT_EQ(ata_video_open(model.c_str(), nullptr, &video), ATA_BAD_VIDEO);
  EXPECT_MENTIONS(ata_last_error(), "tiny-ata");
  EXPECT_EQ(video, nullptr);
}

}  // namespace
