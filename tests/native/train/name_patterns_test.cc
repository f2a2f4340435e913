#include "train/name_patterns.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"

namespace ata {
namespace {

TEST(NamePatterns, ListsIgnoreSpacesAndMayBeEmpty) {
  const NamePatterns list(" head.* , time_embed", "frozen");
  EXPECT_TRUE(list.matches("head.bias"));
  EXPECT_TRUE(list.matches("time_embed"));
  EXPECT_FALSE(list.matches("norm.bias"));
  EXPECT_FALSE(NamePatterns("", "frozen").matches(""));
}

TEST(NamePatterns, NamesThePatternThatMatchesNothing) {
  expect_error(ATA_INVALID_ARGUMENT, "frozen pattern \"blokcs.*\"", [] {
    NamePatterns("head.*,blokcs.*", "frozen").require_matches({"head.weight", "blocks.0.fc"});
  });
  EXPECT_THROW(NamePatterns("head.*,,norm.*", "frozen"), Error);
  EXPECT_THROW(NamePatterns("head.*,", "frozen"), Error);
}

}  // namespace
}  // namespace ata
