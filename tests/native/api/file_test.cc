#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "ata/ata.h"
#include "support/scratch.h"

namespace {

TEST(CApiFile, WritesReadsAndIdentifies) {
  const ata::Scratch scratch;
  const std::string path = scratch.path("file.txt");
  ASSERT_EQ(ata_file_check_writable(path.c_str()), ATA_OK) << ata_last_error();
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_EQ(ata_file_write(path.c_str(), "hello", 5), ATA_OK) << ata_last_error();

  size_t size = 0;
  ASSERT_EQ(ata_file_read(path.c_str(), nullptr, 0, &size), ATA_OK);
  EXPECT_EQ(size, 5u);
  char text[8] = {};
  ASSERT_EQ(ata_file_read(path.c_str(), text, 4, &size), ATA_OK);
  EXPECT_STREQ(text, "");
  ASSERT_EQ(ata_file_read(path.c_str(), text, sizeof(text), &size), ATA_OK);
  EXPECT_STREQ(text, "hello");

  ata_file_kind kind = ATA_FILE_OTHER;
  uint64_t volume = 0, number = 0;
  ASSERT_EQ(ata_file_identify(path.c_str(), &kind, &volume, &number), ATA_OK);
  EXPECT_EQ(kind, ATA_FILE_REGULAR);
}

TEST(CApiFile, RefusesAndLeavesResultsAlone) {
  const ata::Scratch scratch;
  const std::string folder = scratch.folder().string();
  const std::string absent = scratch.path("absent/file");
  size_t size = 7;
  EXPECT_EQ(ata_file_read(absent.c_str(), nullptr, 0, &size), ATA_NOT_FOUND);
  EXPECT_EQ(ata_file_read(folder.c_str(), nullptr, 0, &size), ATA_IO_ERROR);
  EXPECT_EQ(ata_file_read(folder.c_str(), nullptr, 1, &size), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_file_read(nullptr, nullptr, 0, &size), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(size, 7u);
  EXPECT_EQ(ata_file_write(absent.c_str(), "x", 1), ATA_IO_ERROR);
  EXPECT_NE(std::strstr(ata_last_error(), "absent/file"), nullptr);
  EXPECT_EQ(ata_file_write(absent.c_str(), nullptr, 1), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_file_check_writable(absent.c_str()), ATA_IO_ERROR);
  ata_file_kind kind = ATA_FILE_OTHER;
  uint64_t volume = 7, number = 7;
  EXPECT_EQ(ata_file_identify(absent.c_str(), &kind, &volume, &number), ATA_NOT_FOUND);
  EXPECT_EQ(volume + number, 14u);
}

}  // namespace
