#include "base/file.h"

#include <gtest/gtest.h>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#endif

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "support/errors.h"
#include "support/mentions.h"
#include "support/scratch.h"

namespace ata {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return scratch_.path(name); }
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(scratch_.folder()), {}));
  }

  Scratch scratch_;
};

TEST_F(FileTest, WrittenFileReadsBack) {
  AtomicFile out(path("a"));
  out.write("hello ", 6);
  out.write("world", 5);
  out.commit();
  EXPECT_EQ(read_file(path("a")), "hello world");

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
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, MissingFileIsNamed) {
  expect_error(ATA_NOT_FOUND, "absent", [&] { InputFile in(path("absent")); });
}

TEST_F(FileTest, DirectoryIsNotAFile) {
  error_of(ATA_IO_ERROR, [&] { InputFile in(scratch_.folder().string()); });
}

TEST_F(FileTest, ReadPastTheEndFails) {
  std::ofstream(path("a")) << "abc";
  InputFile in(path("a"));
  char buffer[8];
  EXPECT_THROW(in.read(1, buffer, 3), Error);
}

TEST_F(FileTest, MemoryIsReadAsAFile) {
  const std::byte content[] = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
  auto owner = std::make_shared<int>();
  {
    const InputFile in("upload", content, owner);
    EXPECT_TRUE(in.in_memory());
    EXPECT_EQ(in.size(), 3u);
    char buffer[8] = {};
    in.read(1, buffer, 2);
    EXPECT_STREQ(buffer, "bc");
    expect_error(ATA_IO_ERROR, "'upload'", [&] { in.read(1, buffer, 3); });
    expect_error(ATA_IO_ERROR, "'upload'", [&] { in.read(UINT64_MAX, buffer, 2); });
    in.read(3, nullptr, 0);
    EXPECT_EQ(owner.use_count(), 2);
  }
  EXPECT_EQ(owner.use_count(), 1);
}

TEST_F(FileTest, UnwritableTargetFails) {
  EXPECT_THROW(AtomicFile(path("no/such/directory/a")), Error);
}

TEST_F(FileTest, NamesAsLongAsAllowedAreWritten) {
  const std::string name(255, 'n');
  AtomicFile out(path(name));
  out.write("x", 1);
  out.commit();
  EXPECT_EQ(read_file(path(name)), "x");
}

#if !defined(_WIN32)
void commit(const std::string& path, const std::string& text) {
  AtomicFile out(path);
  out.write(text.data(), text.size());
  out.commit();
}

std::string refusal_to_write(const std::string& path) {
  return error_of(ATA_IO_ERROR, [&] { commit(path, "new"); });
}

mode_t mode_of(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

TEST_F(FileTest, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int unix_socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // The path of a socket is short.
  const std::string socket_path = "/tmp/ata-file-test-" + std::to_string(::getpid());
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(unix_socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  for (const auto& [file, kind] :
       {std::pair(path("pipe"), "a pipe"), std::pair(scratch_.folder().string(), "a folder"),
        std::pair(std::string("/dev/zero"), "a device"), std::pair(socket_path, "a socket")}) {
    expect_error(ATA_IO_ERROR, std::string(" is ") + kind, [&] { InputFile in(file); });
    if (file == "/dev/zero") continue;
    EXPECT_MENTIONS(refusal_to_write(file), kind);
  }
  ::close(unix_socket);
  struct stat info = {};
  ASSERT_EQ(::lstat(path("pipe").c_str(), &info), 0);
  EXPECT_TRUE(S_ISFIFO(info.st_mode));
  ASSERT_EQ(::lstat(socket_path.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  ::unlink(socket_path.c_str());
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, CharacterDevicesAreWrittenStraight) {
  commit("/dev/null", "gone");
  // Through a link too, which stays.
  fs::create_symlink("/dev/null", path("sink"));
  commit(path("sink"), "gone");
  struct stat info = {};
  ASSERT_EQ(::stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
  EXPECT_TRUE(fs::is_symlink(path("sink")));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, LinksAreFollowed) {
  fs::create_directories(path("real"));
  std::ofstream(path("real/a")) << "old";
  fs::create_symlink("real/a", path("first"));
  fs::create_symlink(scratch_.folder() / "first", path("second"));
  commit(path("second"), "new");
  EXPECT_TRUE(fs::is_symlink(path("second")));
  EXPECT_TRUE(fs::is_symlink(path("first")));
  EXPECT_EQ(read_file(path("real/a")), "new");

  // A link that dangles makes its target; one into a folder that is not there is an error.
  fs::create_symlink("real/b", path("dangling"));
  commit(path("dangling"), "made");
  EXPECT_TRUE(fs::is_symlink(path("dangling")));
  EXPECT_EQ(read_file(path("real/b")), "made");
  fs::create_symlink("nowhere/c", path("lost"));
  EXPECT_NE(refusal_to_write(path("lost")).find("folder does not exist"), std::string::npos);
  fs::create_symlink("loop", path("loop"));
  EXPECT_NE(refusal_to_write(path("loop")), "");
  EXPECT_TRUE(fs::is_symlink(path("loop")));
}

TEST_F(FileTest, PermissionsAreKeptAndNewFilesFollowTheUmask) {
  for (const mode_t mode : {0600u, 0640u, 0755u}) {
    std::ofstream(path("a")) << "old";
    ASSERT_EQ(::chmod(path("a").c_str(), mode), 0);
    commit(path("a"), "new");
    EXPECT_EQ(mode_of(path("a")), mode);
    EXPECT_EQ(read_file(path("a")), "new");
  }
  const mode_t umask_before = ::umask(027);
  commit(path("b"), "new");
  ::umask(umask_before);
  EXPECT_EQ(mode_of(path("b")), 0640u);
}

TEST_F(FileTest, OwnersAreKeptWhereTheSystemAllowsIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
  std::ofstream(path("a")) << "old";
  ASSERT_EQ(::chown(path("a").c_str(), 12345, 54321), 0);
  commit(path("a"), "new");
  struct stat info = {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 12345u);
  EXPECT_EQ(info.st_gid, 54321u);
}

TEST_F(FileTest, WriteProtectedFilesAndFoldersAreRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "the superuser may write everywhere";
  std::ofstream(path("a")) << "old";
  ASSERT_EQ(::chmod(path("a").c_str(), 0444), 0);
  EXPECT_NE(refusal_to_write(path("a")).find("write-protected"), std::string::npos);
  fs::create_directories(path("closed"));
  ASSERT_EQ(::chmod(path("closed").c_str(), 0500), 0);
  EXPECT_NE(refusal_to_write(path("closed/b")).find("in its folder"), std::string::npos);
  EXPECT_EQ(read_file(path("a")), "old");
}

TEST_F(FileTest, IdentityIsThatOfTheFileAndNotOfItsName) {
  std::ofstream(path("a")) << "x";
  std::ofstream(path("b")) << "x";
  fs::create_symlink("a", path("symbolic"));
  fs::create_hard_link(path("a"), path("hard"));
  const FileIdentity a = identify_file(path("a"));
  EXPECT_EQ(a.kind, FileKind::kRegular);
  for (const std::string& other :
       {path("symbolic"), path("hard"), (scratch_.folder() / "." / "a").string()}) {
    const FileIdentity same = identify_file(other);
    EXPECT_EQ(same.volume, a.volume);
    EXPECT_EQ(same.number, a.number);
  }
  EXPECT_NE(identify_file(path("b")).number, a.number);
  EXPECT_EQ(identify_file(scratch_.folder().string()).kind, FileKind::kFolder);
  EXPECT_EQ(identify_file("/dev/null").kind, FileKind::kOther);
  EXPECT_THROW(identify_file(path("absent")), Error);
}

TEST_F(FileTest, OpenFileIsReadToItsEndAfterItWasReplaced) {
  commit(path("a"), "old content");
  InputFile in(path("a"));
  commit(path("a"), "new");
  std::string text(in.size(), '\0');
  in.read(0, text.data(), text.size());
  EXPECT_EQ(text, "old content");
}

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
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
}
#endif

}  // namespace
}  // namespace ata
