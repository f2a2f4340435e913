#include "train/name_patterns.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"

namespace ata {
namespace {

TEST(NamePatterns, MatchesWholeNames) {
  EXPECT_TRUE(matches_pattern("head.*", "head.weight"));
  EXPECT_TRUE(matches_pattern("*temporal_*", "blocks.3.temporal_attn.qkv.bias"));
  EXPECT_TRUE(matches_pattern("blocks.?.norm?.weight", "blocks.1.norm2.weight"));
  EXPECT_TRUE(matches_pattern("*a*b*c", "xxabaabc"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("cls_token", "cls_token"));
  EXPECT_FALSE(matches_pattern("blocks.?.norm1.weight", "blocks.10.norm1.weight"));
  EXPECT_FALSE(matches_pattern("head", "head.weight"));
  EXPECT_FALSE(matches_pattern("norm.weight", "normXweight"));
  EXPECT_FALSE(matches_pattern("", "head.weight"));
  EXPECT_FALSE(matches_pattern("?", ""));
}

TEST(NamePatterns, ManyStarsStayFast) {
  const std::string name(4000, 'a');
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(matches_pattern(pattern + "*b", name));
  EXPECT_TRUE(matches_pattern(pattern, name));
}

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
