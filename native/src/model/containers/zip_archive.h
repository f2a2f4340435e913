#ifndef ATA_MODEL_CONTAINERS_ZIP_ARCHIVE_H_
#define ATA_MODEL_CONTAINERS_ZIP_ARCHIVE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"

namespace ata {

/// The table of contents of a zip archive, checked: every entry lies in the file, no two overlap or
/// share a name. Entries are read in place, so only those that are stored can be used.
class ZipArchive {
 public:
  struct Entry {
    std::string name;
    /// Position and number of the bytes in the file.
    uint64_t begin = 0;
    uint64_t size = 0;
    /// Whether the bytes are the content, neither compressed nor encrypted.
    bool stored = false;
  };

  /// Throws ATA_BAD_MODEL with the fault, as the end of a sentence about the archive.
  explicit ZipArchive(const InputFile& file);

  const std::vector<Entry>& entries() const { return entries_; }
  /// Null if there is none of that name.
  const Entry* find(std::string_view name) const;

 private:
  void read_directory(const InputFile& file, uint64_t begin, uint64_t size, uint64_t count);
  void locate(const InputFile& file, uint64_t directory_begin);

  std::vector<Entry> entries_;
  std::unordered_map<std::string_view, size_t> index_;
};

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_ZIP_ARCHIVE_H_
