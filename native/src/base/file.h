#ifndef ATA_BASE_FILE_H_
#define ATA_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace ata {

/// Strings of the library are UTF-8 on every system; these convert to and from the system's paths.
std::filesystem::path native_path(const std::string& utf8);
std::string utf8_path(const std::filesystem::path& path);

/// What a path leads to.
enum class FileKind : int32_t { kRegular = 0, kFolder = 1, kOther = 2 };

/// Which file a path leads to, through links: two paths lead to the same one if and only if both
/// numbers are equal.
struct FileIdentity {
  FileKind kind;
  uint64_t volume;
  uint64_t number;
};

/// Throws ATA_NOT_FOUND or ATA_IO_ERROR naming the path.
FileIdentity identify_file(const std::string& path);

/// The content of a file with positioned reads, of a regular file or in memory; safe to use from
/// several threads at once. What is not a regular file is refused without waiting for it, as
/// opening a pipe would.
class InputFile {
 public:
  /// Throws ATA_NOT_FOUND or ATA_IO_ERROR naming the path.
  explicit InputFile(const std::string& path);
  /// A file that is in memory already, which `owner` (null: the caller) keeps as long as this
  /// object lives. `name` stands for its path in messages.
  InputFile(std::string name, std::span<const std::byte> content,
            std::shared_ptr<const void> owner);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  /// Whether path() is a name and leads to no file.
  bool in_memory() const { return handle_ == kNoHandle; }
  uint64_t size() const { return size_; }
  /// Fills `data` with exactly `size` bytes from `offset`, or throws ATA_IO_ERROR.
  void read(uint64_t offset, void* data, size_t size) const;

 private:
  static constexpr int64_t kNoHandle = -1;

  std::string path_;
  int64_t handle_ = kNoHandle;
  const std::byte* content_ = nullptr;  // where there is no handle
  std::shared_ptr<const void> owner_;
  uint64_t size_ = 0;
};

/// What messages call a file in memory that was given no name.
inline constexpr char kUnnamedMemory[] = "<memory>";

/// The place of a file that is being written, so that `path` holds either its old content or all of
/// the new: content goes to temporary_path(), in the same folder, until commit() puts it in its
/// place. Destroying an object that was not committed removes the temporary file.
///
/// Symbolic links stay: what they lead to is replaced, or made where they dangle. A file that is
/// replaced keeps its permissions, and its owner where the system allows it. A character device,
/// such as /dev/null, is written straight. Folders, pipes, sockets, block devices and files that
/// are write-protected are refused.
class OutputPlace {
 public:
  /// Makes the temporary file, so that what cannot be written is known before there is content.
  /// Throws ATA_IO_ERROR naming the path and the cause.
  explicit OutputPlace(const std::string& path);
  ~OutputPlace();
  OutputPlace(const OutputPlace&) = delete;
  OutputPlace& operator=(const OutputPlace&) = delete;

  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_path_; }

  /// Makes the content durable and gives it its name. On failure removes it and throws
  /// ATA_IO_ERROR naming the path.
  void commit();

 private:
  void open();
  std::string keep_permissions() const;

  std::string path_;
  std::filesystem::path destination_;
  std::string temporary_path_;
  bool straight_ = false;
  bool pending_ = false;
  // Of the file that is replaced.
  bool replaces_ = false;
  uint32_t mode_ = 0;
  uint32_t owner_ = 0;
  uint32_t group_ = 0;
};

/// Writes a file as OutputPlace describes. Failures throw ATA_IO_ERROR naming the path and the
/// cause.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void commit();

 private:
  OutputPlace place_;
  std::FILE* file_ = nullptr;
};

}  // namespace ata

#endif  // ATA_BASE_FILE_H_
