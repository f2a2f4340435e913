// The values that a pickle holds as a line of text, which is how protocol 0 writes them.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "model/containers/pickle.h"

namespace ata {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The number of `digits` hexadecimal digits at the start of `text`, or -1.
int64_t hex_number(std::string_view text, size_t digits) {
  if (text.size() < digits) return -1;
  int64_t value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xc0 | (code >> 6));
    *out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out += static_cast<char>(0xe0 | (code >> 12));
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    *out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *out += static_cast<char>(0xf0 | (code >> 18));
    *out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    *out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

}  // namespace

void Pickle::read_integer_line() {
  const std::string_view line = take_line();
  if (line == "00" || line == "01") return push(add(Kind::kBool, line == "01"));
  int64_t value = 0;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || rest != line.data() + line.size()) bad("has a number that is none");
  push(add(Kind::kInteger, static_cast<uint64_t>(value)));
}

// Digits, often with an L behind.
void Pickle::read_long_line() {
  const uint64_t first = at_;
  std::string_view line = take_line();
  if (line.ends_with('L')) line.remove_suffix(1);
  const std::string_view digits = line.starts_with('-') ? line.substr(1) : line;
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) {
    bad("has a number that is none");
  }
  int64_t value = 0;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error == std::errc()) return push(add(Kind::kInteger, static_cast<uint64_t>(value)));
  push(add(Kind::kHugeInteger, first, static_cast<uint32_t>(line.size())));
}

void Pickle::read_float_line() {
  const std::string_view line = take_line();
  double value = 0;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error == std::errc::invalid_argument || rest != line.data() + line.size()) {
    bad("has a number that is none");
  }
  push(add(Kind::kFloat, std::bit_cast<uint64_t>(value)));
}

// Python 2's repr() of a string: in quotes, with escapes.
void Pickle::read_string_line() {
  std::string_view line = take_line();
  if (line.size() < 2 || line.front() != line.back() ||
      (line.front() != '\'' && line.front() != '"')) {
    bad("has a string without quotes");
  }
  line = line.substr(1, line.size() - 2);
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size()) {
      text += line[i];
      continue;
    }
    const char escape = line[++i];
    constexpr std::string_view from = "ntrabfv0\\'\"";
    constexpr char to[] = {'\n', '\t', '\r', '\a', '\b', '\f', '\v', '\0', '\\', '\'', '"'};
    if (escape == 'x') {
      const int64_t code = hex_number(line.substr(i + 1), 2);
      if (code < 0) bad("has a string with a broken escape");
      text += static_cast<char>(code);
      i += 2;
    } else if (const size_t at = from.find(escape); at != from.npos) {
      text += to[at];
    } else {
      text += {'\\', escape};
    }
  }
  push(add_decoded(Kind::kString, std::move(text)));
}

// Latin-1 with \uXXXX and \UXXXXXXXX for everything else.
void Pickle::read_unicode_line() {
  const std::string_view line = take_line();
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    const char kind = line[i] == '\\' && i + 1 < line.size() ? line[i + 1] : '\0';
    if (kind != 'u' && kind != 'U') {
      append_utf8(static_cast<uint8_t>(line[i]), &text);
      continue;
    }
    const size_t digits = kind == 'u' ? 4 : 8;
    const int64_t code = hex_number(line.substr(i + 2), digits);
    if (code < 0 || code > 0x10ffff) bad("has a string with a broken escape");
    append_utf8(static_cast<uint32_t>(code), &text);
    i += 1 + digits;
  }
  push(add_decoded(Kind::kString, std::move(text)));
}

}  // namespace ata
