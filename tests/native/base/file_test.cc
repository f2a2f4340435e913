#include "base/file.h"

#include <gtest/gtest.h>

#if !defined(_WIN32)
#include <sys/resource.h>

#include <csignal>
#endif

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"

namespace ata {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  static std::string content(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(directory_), {}));
  }

  fs::path directory_;
};

TEST_F(FileTest, WrittenFileReadsBack) {
  AtomicFile out(path("a"));
  out.write("hello ", 6);
  out.write("world", 5);
  out.commit();
  EXPECT_EQ(content(path("a")), "hello world");

  InputFile in(path("a"));
  EXPECT_EQ(in.size(), 11u);
  char word[5];
  in.read(6, word, 5);
  EXPECT_EQ(std::string(word, 5), "world");
}

TEST_F(FileTest, UncommittedWriteLeavesTheOldContentAndNoRemains) {
  std::ofstream(path("a")) << "old";
  {
    AtomicFile out(path("a"));
    out.write("new", 3);
  }
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, MissingFileIsNamed) {
  try {
    InputFile in(path("absent"));
    FAIL() << "opened a file that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ATA_NOT_FOUND);
    EXPECT_NE(std::string(error.what()).find("absent"), std::string::npos);
  }
}

TEST_F(FileTest, DirectoryIsNotAFile) {
  try {
    InputFile in(directory_.string());
    FAIL() << "opened a directory as a file";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ATA_IO_ERROR);
  }
}

TEST_F(FileTest, ReadPastTheEndFails) {
  std::ofstream(path("a")) << "abc";
  InputFile in(path("a"));
  char buffer[8];
  EXPECT_THROW(in.read(1, buffer, 3), Error);
}

TEST_F(FileTest, UnwritableTargetFails) {
  EXPECT_THROW(AtomicFile(path("no/such/directory/a")), Error);
}

#if !defined(_WIN32)
TEST_F(FileTest, FullDiskKeepsTheOldFile) {
  std::ofstream(path("a")) << "old";
  // A limit on the size of files makes writes fail as a full disk does.
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit full = {1, limit.rlim_max};
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  bool failed = false;
  try {
    AtomicFile out(path("a"));
    out.write("new", 3);
    out.commit();
  } catch (const Error&) {
    failed = true;
  }
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, previous);
  EXPECT_TRUE(failed);
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
}
#endif

}  // namespace
}  // namespace ata
