#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "clips.h"
#include "video/video.h"

namespace ata::test {
namespace {

namespace fs = std::filesystem;

size_t file_count(const Scratch& scratch) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path(""))) count += entry.exists();
  return count;
}

class Writing : public testing::TestWithParam<const char*> {};

TEST_P(Writing, ReadsBackWhatWasWritten) {
  Scratch scratch;
  const std::string path = scratch.path(std::string("clip") + GetParam());
  constexpr int kFrames = 20;
  VideoWriter writer(path, 128, 96, 12.5);
  for (int i = 0; i < kFrames; ++i) writer.add(synthetic_frame(96, 128, i * 0.08));
  EXPECT_FALSE(fs::exists(path)) << "the file appears before it is complete";
  writer.finish();
  EXPECT_EQ(file_count(scratch), 1u);

  const auto reader = VideoReader::open(path, default_video_options());
  EXPECT_EQ(reader->info().width, 128);
  EXPECT_EQ(reader->info().height, 96);
  EXPECT_NEAR(reader->info().fps, 12.5, 0.01);
  EXPECT_EQ(reader->info().frame_count, kFrames);
  EXPECT_NEAR(reader->info().duration, kFrames / 12.5, 0.002);
  std::vector<double> times(kFrames), starts;
  for (size_t i = 0; i < kFrames; ++i) times[i] = static_cast<double>(i) / 12.5;
  const Tensor frames = reader->read(times, nullptr, &starts);
  for (int i = 0; i < kFrames; ++i) {
    const Tensor expected = synthetic_frame(96, 128, i * 0.08);
    EXPECT_NEAR(starts[static_cast<size_t>(i)], i / 12.5, 0.001);
    EXPECT_GT(
        psnr(frames.slice(i, i + 1).data<uint8_t>(), expected.data<uint8_t>(), expected.bytes()),
        32)
        << "frame " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, Writing, testing::Values(".mp4", ".mkv", ".webm", ".avi"),
                         [](const auto& extension) { return std::string(extension.param + 1); });

TEST(VideoWriter, RemovesAnUnfinishedFile) {
  Scratch scratch;
  {
    VideoWriter writer(scratch.path("clip.mp4"), 64, 64, 25);
    writer.add(synthetic_frame(64, 64, 0));
    EXPECT_EQ(file_count(scratch), 1u);
  }
  EXPECT_EQ(file_count(scratch), 0u);
}

TEST(VideoWriter, RefusesWhatItCannotWrite) {
  Scratch scratch;
  const auto create = [&](const char* name, int width, int height, double fps) {
    VideoWriter(scratch.path(name), width, height, fps);
  };
  EXPECT_THROW(create("clip.txt", 64, 64, 25), Error);
  EXPECT_THROW(create("clip", 64, 64, 25), Error);
  EXPECT_THROW(create("clip.mp4", 65, 64, 25), Error);
  EXPECT_THROW(create("clip.mp4", 64, 0, 25), Error);
  EXPECT_THROW(create("clip.mp4", 64, 64, 0), Error);
  EXPECT_THROW(create("no/such/folder/clip.mp4", 64, 64, 25), Error);
  EXPECT_EQ(file_count(scratch), 0u);

  VideoWriter writer(scratch.path("clip.mkv"), 64, 64, 25);
  error_of(ATA_INVALID_STATE, [&] { writer.finish(); });  // no frames
  EXPECT_THROW(writer.add(synthetic_frame(64, 48, 0)), Error);
  EXPECT_THROW(writer.add(Tensor({64, 64, 3}, DType::kF32)), Error);
  EXPECT_THROW(writer.add(Tensor()), Error);
  writer.add(synthetic_frame(64, 64, 0));
  writer.finish();
  error_of(ATA_INVALID_STATE, [&] { writer.add(synthetic_frame(64, 64, 0)); });
  error_of(ATA_INVALID_STATE, [&] { writer.finish(); });
}

TEST(ImageWriter, ReadsBackWhatWasWritten) {
  for (const char* extension : {".png", ".jpg"}) {
    Scratch scratch;
    const Tensor image = synthetic_frame(67, 101, 0.3);
    write_image(scratch.path(std::string("img_1") + extension), image);
    EXPECT_EQ(file_count(scratch), 1u);
    const auto reader = VideoReader::open(scratch.path(""), default_video_options());
    const double time = 0;
    const Tensor back = reader->read({&time, 1}, nullptr, nullptr);
    ASSERT_EQ(back.shape(), (Shape{1, 67, 101, 3}));
    const double quality = psnr(back.data<uint8_t>(), image.data<uint8_t>(), image.bytes());
    if (std::string(extension) == ".png") {
      EXPECT_EQ(quality, INFINITY);
    } else {
      EXPECT_GT(quality, 38);
    }
  }
}

TEST(ImageWriter, RefusesWhatItCannotWrite) {
  Scratch scratch;
  EXPECT_THROW(write_image(scratch.path("a.bmp"), synthetic_frame(8, 8, 0)), Error);
  EXPECT_THROW(write_image(scratch.path("a.png"), Tensor({8, 8, 3}, DType::kF32)), Error);
  EXPECT_THROW(write_image(scratch.path("a.png"), Tensor({8, 8, 4}, DType::kU8)), Error);
  EXPECT_THROW(write_image(scratch.path("a.png"), Tensor({0, 8, 3}, DType::kU8)), Error);
  EXPECT_THROW(write_image(scratch.path("a.png"), Tensor()), Error);
  EXPECT_THROW(write_image(scratch.path("none/a.png"), synthetic_frame(8, 8, 0)), Error);
  EXPECT_EQ(file_count(scratch), 0u);
}

}  // namespace
}  // namespace ata::test
