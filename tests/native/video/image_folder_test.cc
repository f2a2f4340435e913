#include "video/image_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "clips.h"
#include "support/mentions.h"

namespace ata::test {
namespace {

std::vector<std::string> names_of(const Scratch& scratch) {
  std::vector<std::string> names;
  for (const std::string& path : list_frame_files(scratch.path(""))) {
    names.push_back(std::filesystem::path(path).filename().string());
  }
  return names;
}

std::string refusal_of(const Scratch& scratch) {
  return error_of(ATA_BAD_VIDEO, [&] { list_frame_files(scratch.path("")); });
}

void make(const Scratch& scratch, std::initializer_list<const char*> names) {
  for (const char* name : names) write_file(scratch.path(name), "x");
}

TEST(ImageFolder, OrdersByNumberAndIgnoresOtherFiles) {
  Scratch scratch;
  make(scratch, {"f9.jpg", "f10.JPG", "f08.png", "f11.jpeg", "notes.txt", "cover.jpg", "7"});
  EXPECT_EQ(names_of(scratch),
            (std::vector<std::string>{"f08.png", "f9.jpg", "f10.JPG", "f11.jpeg"}));
}

TEST(ImageFolder, TakesTheFramesBesideOpticalFlow) {
  Scratch scratch;
  make(scratch, {"img_00001.jpg", "img_00002.jpg", "flow_x_00001.jpg", "flow_y_00001.jpg"});
  EXPECT_EQ(names_of(scratch), (std::vector<std::string>{"img_00001.jpg", "img_00002.jpg"}));
}

TEST(ImageFolder, ReportsGapsDuplicatesAndAmbiguity) {
  {
    Scratch scratch;
    make(scratch, {"img_1.jpg", "img_2.jpg", "img_4.jpg"});
    EXPECT_MENTIONS(refusal_of(scratch), "lacks frame 3, between 'img_2.jpg' and 'img_4.jpg'");
  }
  {
    Scratch scratch;
    make(scratch, {"img_1.jpg", "img_01.jpg"});
    EXPECT_MENTIONS(refusal_of(scratch), "frame 1 twice");
  }
  {
    Scratch scratch;
    make(scratch, {"left1.jpg", "right1.jpg"});
    EXPECT_MENTIONS(refusal_of(scratch), "several sequences");
  }
  {
    Scratch scratch;
    make(scratch, {"picture.jpg", "99999999999999999999.jpg"});
    EXPECT_MENTIONS(refusal_of(scratch), "no numbered frames");
  }
}

}  // namespace
}  // namespace ata::test
