#ifndef ATA_TESTS_SUPPORT_MENTIONS_H_
#define ATA_TESTS_SUPPORT_MENTIONS_H_

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace ata {

inline ::testing::AssertionResult mentions(std::string_view message, std::string_view part) {
  if (message.find(part) != std::string_view::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << part << "' is not in: " << message;
}

/// Expects a message to contain a piece of text.
#define EXPECT_MENTIONS(message, part) EXPECT_TRUE(::ata::mentions(message, part))

inline void expect_mentions(std::string_view message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_MENTIONS(message, part);
}

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_MENTIONS_H_
