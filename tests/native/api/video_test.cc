#include <gtest/gtest.h>

#include <cstring>
#include <string>

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

TEST_F(CApiVideo, WhatIsNotAVideoIsNamed) {
  ata_video* video = nullptr;
  EXPECT_EQ(ata_video_open("no/such.mp4", nullptr, &video), ATA_NOT_FOUND);
  const std::string model = ata::test_data("tiny-ata.safetensors");
  EXPECT_EQ(ata_video_open(model.c_str(), nullptr, &video), ATA_BAD_VIDEO);
  EXPECT_MENTIONS(ata_last_error(), "tiny-ata");
  EXPECT_EQ(video, nullptr);
}

}  // namespace
