#include "base/cores.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/scratch.h"

namespace ata {
namespace {

namespace fs = std::filesystem;

TEST(Cores, SettingsAreNumbersOfThreads) {
  EXPECT_EQ(parse_thread_setting("4"), 4);
  EXPECT_EQ(parse_thread_setting(" 12 "), 12);
  EXPECT_EQ(parse_thread_setting("4,2"), 4);
  EXPECT_EQ(parse_thread_setting("1024"), 1024);
  for (const char* wrong : {"", " ", "0", "-3", "1025", "99999999999", "four", "4x", "0x4", ",4"}) {
    EXPECT_FALSE(parse_thread_setting(wrong)) << wrong;
  }
}

class ControlGroups : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const fs::path file = scratch_.folder() / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::optional<double> quota(const std::string& membership) const {
    return quota_of_control_groups(scratch_.folder().string(), membership);
  }

  Scratch scratch_;
};

TEST_F(ControlGroups, Version2TakesTheTightestOfNestedGroups) {
  write("cpu.max", "max 100000\n");
  write("pods/cpu.max", "300000 100000\n");
  write("pods/one/cpu.max", "max 100000\n");
  EXPECT_EQ(quota("0::/pods/one\n"), 3.0);
  write("pods/one/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota("0::/pods/one\n"), 1.5);
  EXPECT_FALSE(quota("0::/\n"));
}

TEST_F(ControlGroups, AContainerSeesItsOwnGroupAsTheRoot) {
  write("cpu.max", "200000 100000\n");
  EXPECT_EQ(quota("0::/system.slice/somewhere-on-the-host\n"), 2.0);
}

TEST_F(ControlGroups, Version1) {
  write("cpu,cpuacct/docker/cpu.cfs_quota_us", "250000\n");
  write("cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  write("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota("5:memory:/docker\n4:cpu,cpuacct:/docker\n"), 2.5);
  EXPECT_FALSE(quota("4:cpu,cpuacct:/\n"));
}

TEST_F(ControlGroups, Version1MayBeMountedUnderTheControllersOwnName) {
  write("cpu/docker/cpu.cfs_quota_us", "150000\n");
  write("cpu/docker/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota("4:cpuacct,cpu:/docker\n"), 1.5);
}

// As a namespace of control groups shows a process outside of it.
TEST_F(ControlGroups, PathsThatLeadOutOfTheMountAreItsRoot) {
  write("mount/cpu.max", "200000 100000\n");
  write("outside/cpu.max", "100000 100000\n");
  EXPECT_EQ(quota_of_control_groups((scratch_.folder() / "mount").string(), "0::/../outside\n"),
            2.0);
}

TEST_F(ControlGroups, NonsenseIsNoQuota) {
  write("cpu.max", "lots of 7\n");
  EXPECT_FALSE(quota("0::/\n"));
  write("cpu.max", "-5 100000\n");
  EXPECT_FALSE(quota("0::/\n"));
  write("cpu.max", "100000 0\n");
  EXPECT_FALSE(quota("0::/\n"));
  for (const char* text : {"inf 100000", "nan 1", "1e999 1", "", "\n\n", "max", "0x10 1"}) {
    write("cpu.max", text);
    EXPECT_FALSE(quota("0::/\n")) << text;
  }
  // Far more than there is to read.
  write("cpu.max", std::string(1 << 20, '9') + " 100000");
  EXPECT_FALSE(quota("0::/\n"));
  EXPECT_FALSE(quota(""));
  EXPECT_FALSE(quota("nothing\n::\n"));
}

}  // namespace
}  // namespace ata
