#ifndef ATA_TESTS_SUPPORT_TEST_DATA_H_
#define ATA_TESTS_SUPPORT_TEST_DATA_H_

#include <cstdlib>
#include <string>

namespace ata {

/// The path of a file of tests/data: of the sources that the tests were built from, or of the
/// folder that the environment variable ATA_TEST_DATA names, on another machine.
inline std::string test_data(const std::string& name) {
  const char* const folder = std::getenv("ATA_TEST_DATA");
  return std::string(folder != nullptr ? folder : ATA_TEST_DATA) + "/" + name;
}

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_TEST_DATA_H_
