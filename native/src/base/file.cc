#include "base/file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.h"

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace ata {
namespace {

std::string system_message(int code) {
  return std::generic_category().message(code);
}

#if defined(_WIN32)
uint64_t process_id() {
  return GetCurrentProcessId();
}
#else
uint64_t process_id() {
  return static_cast<uint64_t>(::getpid());
}

bool is_missing(int code) {
  return code == ENOENT || code == ENOTDIR;
}

const char* kind_in_words(mode_t mode) {
  return S_ISDIR(mode)    ? "a folder"
         : S_ISFIFO(mode) ? "a pipe"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

/// The path that a path which does not exist stands for: its own, or the end of dangling links.
std::filesystem::path end_of_links(std::filesystem::path path) {
  constexpr int kMostLinks = 40;  // Linux's own limit
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path)); ++links) {
    if (links == kMostLinks) {
      throw std::filesystem::filesystem_error(
          "", path, std::make_error_code(std::errc::too_many_symbolic_link_levels));
    }
    // An absolute target replaces the whole path.
    path = path.parent_path() / std::filesystem::read_symlink(path);
  }
  return path;
}
#endif

}  // namespace

std::filesystem::path native_path(const std::string& utf8) {
  return std::filesystem::path(
      std::u8string(reinterpret_cast<const char8_t*>(utf8.data()), utf8.size()));
}

std::string utf8_path(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(reinterpret_cast<const char*>(text.data()), text.size());
}

FileIdentity identify_file(const std::string& path) {
#if defined(_WIN32)
  const HANDLE handle = CreateFileW(native_path(path).c_str(), 0,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  BY_HANDLE_FILE_INFORMATION info = {};
  const bool ok = handle != INVALID_HANDLE_VALUE && GetFileInformationByHandle(handle, &info);
  const DWORD code = GetLastError();
  const bool disk = ok && GetFileType(handle) == FILE_TYPE_DISK;
  if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
  if (!ok) {
    const bool missing = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
    fail(missing ? ATA_NOT_FOUND : ATA_IO_ERROR, "cannot look at '", path,
         "': ", std::system_category().message(static_cast<int>(code)));
  }
  const FileKind kind = !disk                                              ? FileKind::kOther
                        : info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? FileKind::kFolder
                                                                           : FileKind::kRegular;
  return {kind, info.dwVolumeSerialNumber,
          (uint64_t{info.nFileIndexHigh} << 32) | info.nFileIndexLow};
#else
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) {
    fail(is_missing(errno) ? ATA_NOT_FOUND : ATA_IO_ERROR, "cannot look at '", path,
         "': ", system_message(errno));
  }
  const FileKind kind = S_ISREG(info.st_mode)   ? FileKind::kRegular
                        : S_ISDIR(info.st_mode) ? FileKind::kFolder
                                                : FileKind::kOther;
  return {kind, static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino)};
#endif
}

InputFile::InputFile(const std::string& path) : path_(path) {
#if defined(_WIN32)
  const FileIdentity identity = identify_file(path);
  if (identity.kind != FileKind::kRegular) {
    fail(ATA_IO_ERROR, "'", path, "' is ",
         identity.kind == FileKind::kFolder ? "a folder" : "a device", ", not a file");
  }
  handle_ = _wopen(native_path(path).c_str(), _O_RDONLY | _O_BINARY);
  if (handle_ < 0) fail(ATA_IO_ERROR, "cannot open '", path, "': ", system_message(errno));
  const int64_t size = _filelengthi64(static_cast<int>(handle_));
  if (size < 0) {
    const std::string reason = system_message(errno);
    _close(static_cast<int>(handle_));
    fail(ATA_IO_ERROR, "cannot read the size of '", path, "': ", reason);
  }
  size_ = static_cast<uint64_t>(size);
#else
  // Opening a pipe would wait for its writer. Which file a name stands for may change; what was
  // opened stays, so it is looked at afterwards.
  handle_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (handle_ < 0) {
    if (is_missing(errno)) fail(ATA_NOT_FOUND, "no such file: '", path, "'");
    const int code = errno;
    struct stat info = {};
    // A socket cannot be opened at all.
    if (::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
      fail(ATA_IO_ERROR, "'", path, "' is a socket, not a file");
    }
    fail(ATA_IO_ERROR, "cannot open '", path, "': ", system_message(code));
  }
  struct stat info = {};
  std::string problem;
  if (::fstat(static_cast<int>(handle_), &info) != 0) {
    problem = concat("cannot read the size of '", path, "': ", system_message(errno));
  } else if (!S_ISREG(info.st_mode)) {
    problem = concat("'", path, "' is ", kind_in_words(info.st_mode), ", not a file");
  }
  if (!problem.empty()) {
    ::close(static_cast<int>(handle_));
    fail(ATA_IO_ERROR, problem);
  }
  size_ = static_cast<uint64_t>(info.st_size);
#endif
}

InputFile::InputFile(std::string name, std::span<const std::byte> content,
                     std::shared_ptr<const void> owner)
    : path_(std::move(name)),
      content_(content.data()),
      owner_(std::move(owner)),
      size_(content.size()) {}

InputFile::~InputFile() {
  if (in_memory()) return;
#if defined(_WIN32)
  _close(static_cast<int>(handle_));
#else
  ::close(static_cast<int>(handle_));
#endif
}

void InputFile::read(uint64_t offset, void* data, size_t size) const {
  if (in_memory()) {
    if (offset > size_ || size > size_ - offset) {
      fail(ATA_IO_ERROR, "'", path_, "' ended early; it is truncated");
    }
    if (size > 0) std::memcpy(data, content_ + offset, size);
    return;
  }
  char* out = static_cast<char*>(data);
  while (size > 0) {
#if defined(_WIN32)
    OVERLAPPED position = {};
    position.Offset = static_cast<DWORD>(offset);
    position.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD received = 0;
    const DWORD wanted = static_cast<DWORD>(size < (1u << 30) ? size : (1u << 30));
    const BOOL ok = ReadFile(reinterpret_cast<HANDLE>(_get_osfhandle(static_cast<int>(handle_))),
                             out, wanted, &received, &position);
    const int64_t got = ok ? static_cast<int64_t>(received) : -1;
#else
    const ssize_t got = ::pread(static_cast<int>(handle_), out, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
#endif
    if (got < 0) fail(ATA_IO_ERROR, "cannot read '", path_, "': ", system_message(errno));
    if (got == 0) fail(ATA_IO_ERROR, "'", path_, "' ended early; it is truncated");
    out += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
}

OutputPlace::OutputPlace(const std::string& path) : path_(path) {
  try {
    open();
  } catch (const std::filesystem::filesystem_error& error) {
    fail(ATA_IO_ERROR, "cannot write '", path, "': ", error.code().message());
  }
}

void OutputPlace::open() {
  destination_ = native_path(path_);
#if defined(_WIN32)
  if (std::filesystem::is_directory(destination_)) {
    fail(ATA_IO_ERROR, "cannot write '", path_, "': it is a folder");
  }
#else
  struct stat info = {};
  if (::stat(path_.c_str(), &info) == 0) {
    if (S_ISCHR(info.st_mode)) {
      straight_ = true;
      temporary_path_ = path_;
      return;
    }
    if (!S_ISREG(info.st_mode)) {
      fail(ATA_IO_ERROR, "cannot write '", path_, "': it is ", kind_in_words(info.st_mode),
           ", not a file");
    }
    // Replacing a file asks for rights on its folder only; its own are a wish to be respected.
    if (::faccessat(AT_FDCWD, path_.c_str(), W_OK, AT_EACCESS) != 0) {
      fail(ATA_IO_ERROR, "cannot write '", path_, "': ", system_message(errno),
           "; the file is write-protected");
    }
    replaces_ = true;
    mode_ = info.st_mode & 07777;
    owner_ = info.st_uid;
    group_ = info.st_gid;
    destination_ = std::filesystem::canonical(destination_);
    struct stat found = {};
    if (::stat(destination_.c_str(), &found) != 0 || found.st_dev != info.st_dev ||
        found.st_ino != info.st_ino) {
      fail(ATA_IO_ERROR, "cannot write '", path_, "': it leads to an open file without a name");
    }
  } else {
    destination_ = end_of_links(destination_);
  }
#endif
  static std::atomic<uint64_t> counter{0};
  for (;;) {
    // Short, because a name that is as long as allowed must leave room.
    const std::filesystem::path temporary =
        destination_.parent_path() / concat(".ata-", process_id(), "-", counter++, ".tmp");
    temporary_path_ = utf8_path(temporary);
#if defined(_WIN32)
    const int handle =
        _wopen(temporary.c_str(), _O_CREAT | _O_EXCL | _O_RDWR | _O_BINARY, _S_IREAD | _S_IWRITE);
#else
    // What replaces a private file is private from the beginning.
    const int handle =
        ::open(temporary.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, replaces_ ? 0600 : 0666);
#endif
    if (handle >= 0) {
      pending_ = true;
#if defined(_WIN32)
      _close(handle);
#else
      ::close(handle);
#endif
      return;
    }
    if (errno != EEXIST) {
      const int code = errno;
      const std::string folder = utf8_path(destination_.parent_path());
      fail(ATA_IO_ERROR, "cannot write '", path_, "': ",
           code == ENOENT ? std::string("its folder does not exist")
                          : concat(system_message(code), " in its folder '",
                                   folder.empty() ? "." : folder, "'"));
    }
  }
}

OutputPlace::~OutputPlace() {
  if (!pending_) return;
  std::error_code ignored;
  std::filesystem::remove(native_path(temporary_path_), ignored);
}

/// Gives the temporary file the permissions of the file that it replaces. Returns what went wrong.
std::string OutputPlace::keep_permissions() const {
#if !defined(_WIN32)
  if (!replaces_) return {};
  uint32_t mode = mode_;
  // Only the superuser gives files away. A group that cannot be kept gets no more than all have.
  if (::chown(temporary_path_.c_str(), owner_, group_) != 0 &&
      ::chown(temporary_path_.c_str(), static_cast<uid_t>(-1), group_) != 0) {
    mode = (mode & ~07070u) | ((mode & 07) << 3);
  }
  struct stat info = {};
  if (::stat(temporary_path_.c_str(), &info) == 0 && info.st_uid != owner_) mode &= ~04000u;
  if (::chmod(temporary_path_.c_str(), static_cast<mode_t>(mode)) != 0) {
    return system_message(errno);
  }
#endif
  return {};
}

void OutputPlace::commit() {
  if (straight_) return;
  const std::filesystem::path temporary = native_path(temporary_path_);
#if defined(_WIN32)
  const int handle = _wopen(temporary.c_str(), _O_RDWR | _O_BINARY);
  std::string reason = handle >= 0 && _commit(handle) == 0 ? "" : system_message(errno);
  if (handle >= 0) _close(handle);
#else
  const int handle = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
  std::string reason = handle >= 0 && ::fsync(handle) == 0 ? "" : system_message(errno);
  if (handle >= 0) ::close(handle);
#endif
  if (reason.empty()) reason = keep_permissions();
  if (reason.empty()) {
    std::error_code code;
    std::filesystem::rename(temporary, destination_, code);
    pending_ = static_cast<bool>(code);
    if (code) reason = code.message();
  }
  if (!reason.empty()) fail(ATA_IO_ERROR, "cannot write '", path_, "': ", reason);
}

AtomicFile::AtomicFile(const std::string& path) : place_(path) {
#if defined(_WIN32)
  file_ = _wfopen(native_path(place_.temporary_path()).c_str(), L"wb");
#else
  file_ = std::fopen(place_.temporary_path().c_str(), "wbe");
#endif
  if (!file_) fail(ATA_IO_ERROR, "cannot write '", path, "': ", system_message(errno));
}

AtomicFile::~AtomicFile() {
  if (file_) std::fclose(file_);
}

void AtomicFile::write(const void* data, size_t size) {
  if (size > 0 && std::fwrite(data, 1, size, file_) != size) {
    fail(ATA_IO_ERROR, "cannot write '", place_.path(), "': ", system_message(errno));
  }
}

void AtomicFile::commit() {
  std::FILE* const file = file_;
  file_ = nullptr;
  if (std::fclose(file) != 0) {
    fail(ATA_IO_ERROR, "cannot write '", place_.path(), "': ", system_message(errno));
  }
  place_.commit();
}

}  // namespace ata
