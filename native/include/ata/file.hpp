/// @file file.hpp
/// Part of ata.hpp: whole files, read and written as the library does it.
#ifndef ATA_FILE_HPP_
#define ATA_FILE_HPP_

#include <ata/library.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// Which file a path leads to: two paths lead to one file if and only if their identities are
/// equal.
struct FileIdentity {
  ata_file_kind kind;  ///< What it is.
  uint64_t volume;     ///< The volume that it is on.
  uint64_t number;     ///< The file on its volume.

  /// Whether both are one file.
  bool operator==(const FileIdentity&) const = default;
};

/// Which file a path leads to; Error(ATA_NOT_FOUND) if to none. See ata_file_identify().
inline FileIdentity identify_file(const std::string& path) {
  FileIdentity identity = {};
  detail::check(
      ata_file_identify(path.c_str(), &identity.kind, &identity.volume, &identity.number));
  return identity;
}

/// Reads a regular file whole; anything else is refused without waiting for it.
inline std::vector<std::byte> read_file(const std::string& path) {
  std::vector<std::byte> content;
  for (;;) {
    size_t size = 0;
    detail::check(ata_file_read(path.c_str(), content.data(), content.size(), &size));
    if (size <= content.size()) {
      content.resize(size);
      return content;
    }
    content.resize(size);
  }
}

/// Writes a file whole: it is never half-written, links are followed, permissions kept.
inline void write_file(const std::string& path, std::span<const std::byte> content) {
  detail::check(ata_file_write(path.c_str(), content.data(), content.size()));
}

/// Throws if a file could not be written; changes nothing.
inline void check_writable(const std::string& path) {
  detail::check(ata_file_check_writable(path.c_str()));
}

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_FILE_HPP_
