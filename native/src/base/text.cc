#include "base/text.h"

#include <cstdint>
#include <cstdio>

namespace ata {
namespace {

struct Character {
  uint32_t code = 0;
  /// Bytes; 0 if the text does not begin with valid UTF-8.
  size_t size = 0;
};

// Decodes the first character. Overlong forms, surrogates and codes above U+10FFFF are not valid.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xC0 || lead > 0xF7 || text.size() < size) return {};
  uint32_t code = lead & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[size] || code > 0x10FFFF || surrogate) return {};
  return {code, size};
}

bool is_printable(uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool separator = code == 0x2028 || code == 0x2029;
  const bool direction = code == 0x061C || code == 0x200E || code == 0x200F ||
                         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !control && !separator && !direction && code != 0xFEFF;
}

}  // namespace

std::string_view PrintablePieces::next() noexcept {
  if (rest_.empty()) return {};
  const Character character = first_character(rest_);
  const std::string_view whole = rest_.substr(0, character.size == 0 ? 1 : character.size);
  rest_.remove_prefix(whole.size());
  if (character.size != 0 && is_printable(character.code)) return whole;
  int length = 0;
  if (character.size > 1) {
    length = std::snprintf(escape_, sizeof(escape_), "\\u%04x", character.code);
  } else if (whole[0] == '\n' || whole[0] == '\r' || whole[0] == '\t') {
    const char letter = whole[0] == '\n' ? 'n' : whole[0] == '\r' ? 'r' : 't';
    length = std::snprintf(escape_, sizeof(escape_), "\\%c", letter);
  } else {
    length = std::snprintf(escape_, sizeof(escape_), "\\x%02x",
                           static_cast<unsigned>(static_cast<uint8_t>(whole[0])));
  }
  return {escape_, static_cast<size_t>(length)};
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  PrintablePieces pieces(text);
  for (auto piece = pieces.next(); !piece.empty(); piece = pieces.next()) result += piece;
  return result;
}

std::string shown(std::string_view name) {
  if (name.size() <= kLongestShownName) return printable(name);
  const auto inside_character = [&](size_t at) {
    return (static_cast<uint8_t>(name[at]) & 0xC0) == 0x80;
  };
  // Not in the middle of a character; bytes that are not UTF-8 must not make this long.
  size_t head = kLongestShownName / 2;
  for (int i = 0; i < 3 && inside_character(head); ++i) --head;
  size_t tail = name.size() - kLongestShownName / 4;
  for (int i = 0; i < 3 && inside_character(tail); ++i) ++tail;
  return printable(name.substr(0, head)) + "..." + printable(name.substr(tail)) + " (" +
         std::to_string(name.size()) + " bytes)";
}

std::string dims_to_string(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    text += (axis > 0 ? ", " : "") + std::to_string(dims[axis]);
  }
  return text + "]";
}

}  // namespace ata
