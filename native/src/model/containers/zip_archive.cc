#include "model/containers/zip_archive.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace ata {
namespace {

// Names and numbers after PKWARE's APPNOTE.TXT, section 4.3.
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kEnd64Locator = 0x07064b50;
constexpr uint64_t kLocalHeaderSize = 30;
constexpr uint64_t kDirectoryHeaderSize = 46;
constexpr uint64_t kEndSize = 22;
constexpr uint64_t kEnd64Size = 56;
constexpr uint64_t kEnd64LocatorSize = 20;
constexpr uint64_t kMaxCommentSize = 0xffff;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kEncrypted = 0x0001;
constexpr uint16_t kStored = 0;

// A checkpoint of 100,000 tensors has a sixth of this.
constexpr uint64_t kMaxDirectoryBytes = 64 << 20;

template <typename... Args>
[[noreturn]] void bad(const Args&... args) {
  fail(ATA_BAD_MODEL, args...);
}

// Little-endian numbers of a record, from its beginning on.
class Record {
 public:
  Record(const char* data, size_t size) : data_(data), size_(size) {}

  template <typename Number>
  Number number(size_t offset) const {
    if (offset + sizeof(Number) > size_) bad("a record ends early");
    Number value = 0;
    for (size_t i = 0; i < sizeof(Number); ++i) {
      value = static_cast<Number>(
          value | static_cast<Number>(static_cast<Number>(static_cast<uint8_t>(data_[offset + i]))
                                      << (8 * i)));
    }
    return value;
  }
  size_t size() const { return size_; }
  Record from(size_t offset, size_t size) const {
    if (offset > size_ || size > size_ - offset) bad("a record ends early");
    return {data_ + offset, size};
  }
  std::string text(size_t offset, size_t size) const {
    const Record part = from(offset, size);
    return std::string(part.data_, part.size_);
  }

 private:
  const char* data_;
  size_t size_;
};

std::string read(const InputFile& file, uint64_t begin, uint64_t size) {
  if (begin > file.size() || size > file.size() - begin) bad("a record lies beyond the file's end");
  std::string bytes(static_cast<size_t>(size), '\0');
  file.read(begin, bytes.data(), bytes.size());
  return bytes;
}

// Replaces the fields that are all ones by those of the entry's zip64 record, in their order.
void widen(const Record& extra, uint64_t* size, uint64_t* stored_size, uint64_t* offset) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const uint16_t id = extra.number<uint16_t>(at);
    const uint16_t length = extra.number<uint16_t>(at + 2);
    const Record field = extra.from(at + 4, length);
    at += size_t{4} + length;
    if (id != kZip64Extra) continue;
    size_t next = 0;
    for (uint64_t* value : {size, stored_size, offset}) {
      if (*value != UINT32_MAX) continue;
      *value = field.number<uint64_t>(next);
      next += sizeof(uint64_t);
    }
    return;
  }
}

}  // namespace

ZipArchive::ZipArchive(const InputFile& file) {
  const uint64_t tail_size = std::min(file.size(), kEndSize + kMaxCommentSize);
  const uint64_t tail_begin = file.size() - tail_size;
  const std::string tail = read(file, tail_begin, tail_size);
  const Record record(tail.data(), tail.size());
  // The end record is the last one whose comment reaches to the end of the file.
  uint64_t at = tail_size;
  bool found = false;
  for (uint64_t i = tail_size >= kEndSize ? tail_size - kEndSize + 1 : 0; i-- > 0 && !found;) {
    if (record.number<uint32_t>(i) == kEnd &&
        record.number<uint16_t>(i + 20) == tail_size - i - kEndSize) {
      at = i;
      found = true;
    }
  }
  if (!found) bad("its table of contents, which is at the end, is missing: the file is truncated");

  uint64_t count = record.number<uint16_t>(at + 10);
  uint64_t size = record.number<uint32_t>(at + 12);
  uint64_t begin = record.number<uint32_t>(at + 16);
  const uint64_t end = tail_begin + at;
  uint64_t directory_limit = end;
  if (end >= kEnd64LocatorSize) {
    const std::string locator = read(file, end - kEnd64LocatorSize, kEnd64LocatorSize);
    const Record fields(locator.data(), locator.size());
    if (fields.number<uint32_t>(0) == kEnd64Locator) {
      const uint64_t position = fields.number<uint64_t>(8);
      const std::string end64 = read(file, position, kEnd64Size);
      const Record wide(end64.data(), end64.size());
      if (wide.number<uint32_t>(0) != kEnd64) bad("its zip64 end record is missing");
      count = wide.number<uint64_t>(32);
      size = wide.number<uint64_t>(40);
      begin = wide.number<uint64_t>(48);
      directory_limit = position;
    }
  }
  if (begin > directory_limit || size > directory_limit - begin) {
    bad("its table of contents lies beyond the file's end");
  }
  if (size > kMaxDirectoryBytes) bad("its table of contents has ", size, " bytes");
  read_directory(file, begin, size, count);
  locate(file, begin);
}

void ZipArchive::read_directory(const InputFile& file, uint64_t begin, uint64_t size,
                                uint64_t count) {
  if (count > size / kDirectoryHeaderSize) bad("its table of contents is too short for its count");
  const std::string bytes = read(file, begin, size);
  const Record record(bytes.data(), bytes.size());
  entries_.reserve(static_cast<size_t>(count));
  size_t at = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const Record header = record.from(at, kDirectoryHeaderSize);
    if (header.number<uint32_t>(0) != kDirectoryHeader) bad("its table of contents is damaged");
    const size_t name_size = header.number<uint16_t>(28);
    const size_t extra_size = header.number<uint16_t>(30);
    const size_t comment_size = header.number<uint16_t>(32);
    Entry entry;
    entry.name = record.text(at + kDirectoryHeaderSize, name_size);
    uint64_t stored_size = header.number<uint32_t>(20);
    entry.size = header.number<uint32_t>(24);
    entry.begin = header.number<uint32_t>(42);
    widen(record.from(at + kDirectoryHeaderSize + name_size, extra_size), &entry.size, &stored_size,
          &entry.begin);
    entry.stored = header.number<uint16_t>(10) == kStored &&
                   (header.number<uint16_t>(8) & kEncrypted) == 0 && stored_size == entry.size;
    // From here on the size is that of the bytes in the file.
    entry.size = stored_size;
    entries_.push_back(std::move(entry));
    at += kDirectoryHeaderSize + name_size + extra_size + comment_size;
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!index_.emplace(entries_[i].name, i).second) {
      bad("its table of contents has '", entries_[i].name, "' twice");
    }
  }
}

// Replaces the positions of the entries' headers by those of their bytes.
void ZipArchive::locate(const InputFile& file, uint64_t directory_begin) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  ranges.reserve(entries_.size());
  for (Entry& entry : entries_) {
    const std::string bytes = read(file, entry.begin, kLocalHeaderSize);
    const Record header(bytes.data(), bytes.size());
    if (header.number<uint32_t>(0) != kLocalHeader)
      bad("the header of '", entry.name, "' is damaged");
    const uint64_t header_begin = entry.begin;
    const uint64_t name_size = header.number<uint16_t>(26);
    if (name_size != entry.name.size() ||
        read(file, header_begin + kLocalHeaderSize, name_size) != entry.name) {
      bad("'", entry.name, "' has another name in its own header");
    }
    entry.begin += kLocalHeaderSize + name_size + header.number<uint16_t>(28);
    if (entry.begin > directory_begin || entry.size > directory_begin - entry.begin) {
      bad("'", entry.name, "' lies beyond the file's end");
    }
    ranges.emplace_back(header_begin, entry.begin + entry.size);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) bad("two of its entries overlap");
  }
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

}  // namespace ata
