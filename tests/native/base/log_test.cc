#include "base/log.h"

#include <gtest/gtest.h>

#include <vector>

namespace ata {
namespace {

TEST(Log, DeliversFromTheMinimumUp) {
  std::vector<std::pair<ata_log_level, std::string>> lines;
  set_log_sink(
      [](ata_log_level level, const char* message, void* data) {
        static_cast<decltype(lines)*>(data)->emplace_back(level, message);
      },
      &lines, ATA_LOG_WARNING);
  EXPECT_FALSE(log_enabled(ATA_LOG_INFO));
  EXPECT_TRUE(log_enabled(ATA_LOG_ERROR));
  log(ATA_LOG_INFO, "dropped");
  log(ATA_LOG_WARNING, "kept");
  set_log_sink(nullptr, nullptr, ATA_LOG_DEBUG);
  log(ATA_LOG_ERROR, "nobody listens");
  EXPECT_FALSE(log_enabled(ATA_LOG_ERROR));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].first, ATA_LOG_WARNING);
  EXPECT_EQ(lines[0].second, "kept");
}

}  // namespace
}  // namespace ata
