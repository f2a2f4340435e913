#include "model/importers/glob.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ata
