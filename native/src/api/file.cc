#include "base/file.h"

#include <limits>

#include "api/boundary.h"

using ata::api::guard;
using ata::api::require_pointer;

static_assert(static_cast<int32_t>(ata::FileKind::kRegular) == ATA_FILE_REGULAR);
static_assert(static_cast<int32_t>(ata::FileKind::kFolder) == ATA_FILE_FOLDER);
static_assert(static_cast<int32_t>(ata::FileKind::kOther) == ATA_FILE_OTHER);

ata_status ata_file_identify(const char* path, ata_file_kind* kind, uint64_t* volume,
                             uint64_t* number) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(kind, "kind");
    require_pointer(volume, "volume");
    require_pointer(number, "number");
    const ata::FileIdentity identity = ata::identify_file(path);
    *kind = static_cast<ata_file_kind>(identity.kind);
    *volume = identity.volume;
    *number = identity.number;
  });
}

std::shared_ptr<const ata::InputFile> ata::api::file_in_memory(const void* data, size_t size,
                                                               const char* name,
                                                               std::shared_ptr<const void> owner) {
  if (size > 0) require_pointer(data, "data");
  require(size <= PTRDIFF_MAX, "size is ", size, ", more than any memory has");
  const bool named = name != nullptr && *name != '\0';
  return std::make_shared<const InputFile>(named ? name : kUnnamedMemory,
                                           std::span(static_cast<const std::byte*>(data), size),
                                           std::move(owner));
}

ata_status ata_file_read(const char* path, void* data, size_t capacity, size_t* size) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(size, "size");
    ata::require(data != nullptr || capacity == 0, "data is NULL and capacity is ", capacity);
    const ata::InputFile file(path);
    if (file.size() > std::numeric_limits<size_t>::max()) {
      ata::fail(ATA_IO_ERROR, "'", path, "' is too large to be read whole");
    }
    if (file.size() <= capacity) file.read(0, data, static_cast<size_t>(file.size()));
    *size = static_cast<size_t>(file.size());
  });
}

ata_status ata_file_write(const char* path, const void* data, size_t size) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    ata::require(data != nullptr || size == 0, "data is NULL and size is ", size);
    ata::AtomicFile file(path);
    file.write(data, size);
    file.commit();
  });
}

ata_status ata_file_check_writable(const char* path) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    const ata::OutputPlace place(path);
  });
}
