#include "base/text.h"

#include <gtest/gtest.h>

#include "support/mentions.h"

namespace ata {
namespace {

TEST(Text, PrintableTextStaysAsItIs) {
  for (const char* text : {"", "clip.mp4", "größer", "C:\\videos\\new", "日本語 ✓ 😀", "[red]'\""}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Text, WhatATerminalWouldActUponIsEscaped) {
  EXPECT_EQ(printable("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(printable("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(printable(std::string_view("a\0b\x7f", 4)), "a\\x00b\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m");  // CSI as one character
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "4pm"),
            "\\u202e4pm");  // right-to-left override
  EXPECT_EQ(printable("a\xE2\x80\xA8"
                      "b"),
            "a\\u2028b");  // line separator
}

TEST(Text, BytesThatAreNotUtf8AreEscaped) {
  EXPECT_EQ(printable("a\xFF"
                      "b"),
            "a\\xffb");
  EXPECT_EQ(printable("\xC3"), "\\xc3");                             // cut off
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(printable("\xF8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80");
}

TEST(Text, EscapingTwiceChangesNothing) {
  const std::string once = printable("\x1b\n\xFF\xE2\x80\xAE\\");
  EXPECT_EQ(printable(once), once);
}

TEST(Text, LongNamesAreShortenedInTheMiddle) {
  const std::string fits(kLongestShownName, 'x');
  EXPECT_EQ(shown(fits), fits);
  const std::string name = "begin" + std::string(1'000'000, '.') + "end";
  const std::string text = shown(name);
  EXPECT_LT(text.size(), 200u);
  EXPECT_EQ(text.rfind("begin", 0), 0u);
  EXPECT_MENTIONS(text, "end (1000008 bytes)");
  // Characters stay whole, wherever the cut falls.
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string wide(shift, 'a');
    while (wide.size() < 400) wide += "€";
    EXPECT_EQ(shown(wide).find("\\x"), std::string::npos) << shown(wide);
  }
  EXPECT_LT(shown(std::string(500, '\x80')).size(), 700u);
}

TEST(Text, ShowsExtents) {
  EXPECT_EQ(dims_to_string({}), "[]");
  EXPECT_EQ(dims_to_string(std::vector<int64_t>{7}), "[7]");
  EXPECT_EQ(dims_to_string(std::vector<int64_t>{2, 0, -3}), "[2, 0, -3]");
}

}  // namespace
}  // namespace ata
