#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "clips.h"
#include "video/video.h"

namespace ata::test {
namespace {

constexpr const char* kIsCopy = "ATA_TEST_WITHOUT_PLUGIN";

void expect_error_that_names_the_plugin() {
  const VideoSupport support = video_support();
  ASSERT_FALSE(support.available) << "found " << support.path;
  EXPECT_FALSE(support.attempts.empty());
  expect_mentions(error_of(ATA_LIBRARY_UNAVAILABLE,
                           [] { write_image("never_written.png", synthetic_frame(8, 8, 0)); }),
                  {"ata_video", "cannot be loaded", "install it beside Ata's library"});
}

// The check runs in a copy of this program that has no plugin beside it.
TEST(MissingPlugin, IsNamedInTheError) {
  if (std::getenv(kIsCopy)) {
    expect_error_that_names_the_plugin();
    return;
  }
  std::error_code code;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code) GTEST_SKIP() << "this system does not tell where the program is";
  Scratch scratch;
  const std::string copy = scratch.path("video_test");
  std::filesystem::copy_file(program, copy);
  const std::string command = std::string(kIsCopy) + "=1 GTEST_OUTPUT= '" + copy +
                              "' --gtest_filter=MissingPlugin.IsNamedInTheError 1>&2";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace ata::test
