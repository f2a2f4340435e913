// Videos in memory: what a file of the same bytes is.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <span>

#include "base/file.h"
#include "clips.h"
#include "video/sampling.h"
#include "video/video.h"

namespace ata::test {
namespace {

using Content = std::vector<std::byte>;

std::shared_ptr<const Content> content_of(const std::string& path) {
  const std::string bytes = read_file(path);
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  return std::make_shared<const Content>(first, first + bytes.size());
}

std::unique_ptr<VideoReader> open_memory(
    const std::shared_ptr<const Content>& content, const std::string& name = kUnnamedMemory,
    const ata_video_options& options = default_video_options()) {
  return VideoReader::open(std::make_shared<const InputFile>(name, *content, content), options);
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

class MemoryVideo : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!have_ffmpeg()) GTEST_SKIP() << "needs the ffmpeg program";
    path_ = scratch_.path(std::string("clip.") + GetParam());
    const bool still = std::string(GetParam()) == "png" || std::string(GetParam()) == "jpg";
    ffmpeg(moving_picture(96, 64, 25, 2) +
           (still ? " -frames:v 1 -update 1 '" : " -g 10 -pix_fmt yuv420p '") + path_ + "'");
  }

  const Scratch scratch_;
  std::string path_;
};

TEST_P(MemoryVideo, GivesTheBitsOfTheFile) {
  const auto file = VideoReader::open(path_, default_video_options());
  const auto content = content_of(path_);
  for (const int64_t keep : {0, 1 << 30}) {
    ata_video_options options = default_video_options();
    options.keep_bytes = keep;
    const auto memory = open_memory(content, kUnnamedMemory, options);
    EXPECT_EQ(std::memcmp(&file->info(), &memory->info(), sizeof(ata_video_info)), 0);
    // Forwards, backwards and past the end.
    for (const double first : {1.2, 0.1, 0.9, 0.0}) {
      const double times[] = {first, first + 0.3, first + 5};
      std::vector<double> starts, others;
      EXPECT_TRUE(equal(file->read(times, nullptr, &starts), memory->read(times, nullptr, &others)))
          << first;
      EXPECT_EQ(starts, others);
    }
    ata_clip_options clip = default_clip_options();
    clip.size = 32;
    clip.short_policy = ATA_SHORT_LOOP;
    for (const double start : {0.0, 0.02}) {
      clip.interval_start = start;
      EXPECT_TRUE(
          equal(file->sample(clip, nullptr, nullptr), memory->sample(clip, nullptr, nullptr)));
    }
  }
}

TEST_P(MemoryVideo, DamageIsAnsweredAsInTheFile) {
  const Content intact = *content_of(path_);
  std::mt19937 random(5);
  for (int i = 0; i < 20; ++i) {
    auto damaged = std::make_shared<Content>(intact);
    if (i % 2) damaged->resize(random() % damaged->size());
    for (int k = 0; k < 4 && !damaged->empty(); ++k) {
      std::byte& byte = (*damaged)[random() % std::min<size_t>(damaged->size(), 2048)];
      byte ^= static_cast<std::byte>(1 << (random() % 8));
    }
    write_file(path_, {reinterpret_cast<const char*>(damaged->data()), damaged->size()});
    const double times[] = {0, 0.5, 1.5};
    // What FFmpeg puts in place of damaged parts depends on how far its other threads are.
    ata_video_options options = default_video_options();
    options.threads = 1;
    const auto answer = [&](const auto& open) -> std::string {
      try {
        const auto reader = open();
        const Tensor frames = reader->read(times, nullptr, nullptr);
        return {static_cast<const char*>(frames.raw()), frames.bytes()};
      } catch (const Error& error) {
        return concat(error.status(), ": ", error.what());
      }
    };
    EXPECT_EQ(answer([&] { return VideoReader::open(path_, options); }),
              answer([&] { return open_memory(damaged, path_, options); }));
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, MemoryVideo,
                         testing::Values("mp4", "mkv", "avi", "webm", "ts", "png", "jpg"),
                         [](const auto& container) { return std::string(container.param); });

TEST(MemoryVideoErrors, NameTheMemory) {
  const auto empty = std::make_shared<const Content>();
  EXPECT_MENTIONS(error_of(ATA_BAD_VIDEO, [&] { open_memory(empty); }), "'<memory>' is empty");
  const auto garbage = std::make_shared<const Content>(5000, std::byte{'x'});
  EXPECT_MENTIONS(error_of(ATA_BAD_VIDEO, [&] { open_memory(garbage, "upload 7"); }), "'upload 7'");
}

TEST(MemoryVideoErrors, LetTheMemoryGo) {
  const auto garbage = std::make_shared<const Content>(5000, std::byte{'x'});
  const std::weak_ptr<const Content> watched = garbage;
  error_of(ATA_BAD_VIDEO, [&] { open_memory(garbage); });
  EXPECT_EQ(watched.use_count(), 1);
}

}  // namespace
}  // namespace ata::test
