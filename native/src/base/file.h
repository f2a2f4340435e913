#ifndef ATA_BASE_FILE_H_
#define ATA_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace ata {

/// Strings of the library are UTF-8 on every system; these convert to and from the system's paths.
std::filesystem::path native_path(const std::string& utf8);
std::string utf8_path(const std::filesystem::path& path);

/// A read-only file with positioned reads; safe to use from several threads at once.
class InputFile {
 public:
  /// Throws ATA_NOT_FOUND or ATA_IO naming the path.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// Fills `data` with exactly `size` bytes from `offset`, or throws ATA_IO.
  void read(uint64_t offset, void* data, size_t size) const;

 private:
  std::string path_;
  int64_t handle_ = -1;
  uint64_t size_ = 0;
};

/// A path in the directory of `path` that no other call has returned in this process, for content
/// that will become `path` by replace_file().
std::string temporary_path_beside(const std::string& path);

/// Makes the file at `temporary_path` durable and gives it the name `path`, replacing what is
/// there. On failure removes it and throws ATA_IO_ERROR naming `path`.
void replace_file(const std::string& temporary_path, const std::string& path);

/// Writes a file so that `path` holds either its old content or all of the new: bytes go to a
/// temporary file beside it, which commit() syncs and renames. Destroying an uncommitted object
/// removes the temporary file. Failures throw ATA_IO naming the path and the cause.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void commit();

 private:
  std::string path_;
  std::string temporary_path_;
  std::FILE* file_ = nullptr;
};

}  // namespace ata

#endif  // ATA_BASE_FILE_H_
