#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace ata {
namespace {

TEST(Glob, FitsStarsAndQuestionMarks) {
  EXPECT_TRUE(glob_matches("blocks.*.lora_?", "blocks.0.attn.lora_A"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a*b*c", "axxbxbyc"));
  EXPECT_FALSE(glob_matches("a*b*c", "axxbxby"));
  EXPECT_FALSE(glob_matches("a?", "a"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches(std::string(2000, '*') + "b", std::string(20000, 'a')));
}

TEST(Glob, MatchesWholeNames) {
  EXPECT_TRUE(glob_matches("head.*", "head.weight"));
  EXPECT_TRUE(glob_matches("*temporal_*", "blocks.3.temporal_attn.qkv.bias"));
  EXPECT_TRUE(glob_matches("blocks.?.norm?.weight", "blocks.1.norm2.weight"));
  EXPECT_TRUE(glob_matches("*a*b*c", "xxabaabc"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("cls_token", "cls_token"));
  EXPECT_FALSE(glob_matches("blocks.?.norm1.weight", "blocks.10.norm1.weight"));
  EXPECT_FALSE(glob_matches("head", "head.weight"));
  EXPECT_FALSE(glob_matches("norm.weight", "normXweight"));
  EXPECT_FALSE(glob_matches("", "head.weight"));
  EXPECT_FALSE(glob_matches("?", ""));
}

TEST(Glob, ManyStarsStayFast) {
  const std::string name(4000, 'a');
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "*b", name));
  EXPECT_TRUE(glob_matches(pattern, name));
}

}  // namespace
}  // namespace ata
