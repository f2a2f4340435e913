#ifndef ATA_BASE_TEXT_H_
#define ATA_BASE_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ata {

/// Longest name that a message shows whole, in bytes; see `shown()`.
constexpr size_t kLongestShownName = 160;

/// Takes text apart into pieces that are safe to show on a terminal and in a log, without
/// allocating: a character as it is, or an escape (`\n`, `\x1b`, `\u202e`) for control characters,
/// line separators, marks that turn the writing direction, and bytes that are not UTF-8.
/// Backslashes are characters like others, so that escaping twice changes nothing.
class PrintablePieces {
 public:
  explicit PrintablePieces(std::string_view text) : rest_(text) {}

  /// The next piece, valid until the next call; empty at the end.
  std::string_view next() noexcept;

 private:
  std::string_view rest_;
  char escape_[8] = {};
};

/// `text` as one line of valid UTF-8 that a terminal does not act upon.
std::string printable(std::string_view text);

/// A name from a file or a caller, for messages: printable, and shortened in the middle when it is
/// longer than kLongestShownName, so that it cannot push the rest of the message out of sight.
/// Paths are not shortened: people need them whole.
std::string shown(std::string_view name);

/// The extents of an array, "[2, 3, 4]".
std::string dims_to_string(std::span<const int64_t> dims);

}  // namespace ata

#endif  // ATA_BASE_TEXT_H_
