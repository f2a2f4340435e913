#ifndef ATA_TESTS_SUPPORT_SCRATCH_H_
#define ATA_TESTS_SUPPORT_SCRATCH_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>

namespace ata {

/// An empty folder of its own for the running test or suite, removed with the object. No two have
/// the same name: ctest runs tests of a suite beside one another, and some on each device at once.
class Scratch {
 public:
  Scratch() {
    const ::testing::UnitTest& unit = *::testing::UnitTest::GetInstance();
    std::ostringstream name;
    name << unit.current_test_suite()->name();
    if (unit.current_test_info() != nullptr) name << '.' << unit.current_test_info()->name();
    name << '.' << std::random_device()();
    std::string text = name.str();
    std::replace(text.begin(), text.end(), '/', '.');
    folder_ = std::filesystem::path(::testing::TempDir()) / text;
    std::filesystem::create_directories(folder_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_;
};

/// The whole content of a file, and its replacement.
inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_SCRATCH_H_
