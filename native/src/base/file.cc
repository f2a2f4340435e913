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

}  // namespace

std::filesystem::path native_path(const std::string& utf8) {
  return std::filesystem::path(
      std::u8string(reinterpret_cast<const char8_t*>(utf8.data()), utf8.size()));
}

std::string utf8_path(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(reinterpret_cast<const char*>(text.data()), text.size());
}

InputFile::InputFile(const std::string& path) : path_(path) {
  std::error_code code;
  const std::filesystem::path file = native_path(path);
  const auto status = std::filesystem::status(file, code);
  if (!std::filesystem::exists(status)) {
    fail(ATA_NOT_FOUND, "no such file: '", path, "'");
  }
  if (std::filesystem::is_directory(status)) {
    fail(ATA_IO_ERROR, "'", path, "' is a directory, not a file");
  }
#if defined(_WIN32)
  handle_ = _wopen(file.c_str(), _O_RDONLY | _O_BINARY);
#else
  handle_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
#endif
  if (handle_ < 0) fail(ATA_IO_ERROR, "cannot open '", path, "': ", system_message(errno));
  size_ = std::filesystem::file_size(file, code);
  if (code) {
    const std::string reason = code.message();
#if defined(_WIN32)
    _close(static_cast<int>(handle_));
#else
    ::close(static_cast<int>(handle_));
#endif
    fail(ATA_IO_ERROR, "cannot read the size of '", path, "': ", reason);
  }
}

InputFile::~InputFile() {
#if defined(_WIN32)
  _close(static_cast<int>(handle_));
#else
  ::close(static_cast<int>(handle_));
#endif
}

void InputFile::read(uint64_t offset, void* data, size_t size) const {
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

std::string temporary_path_beside(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
#if defined(_WIN32)
  const uint64_t process = GetCurrentProcessId();
#else
  const uint64_t process = static_cast<uint64_t>(::getpid());
#endif
  return concat(path, ".", process, ".", counter++, ".tmp");
}

void replace_file(const std::string& temporary_path, const std::string& path) {
  const std::filesystem::path temporary = native_path(temporary_path);
#if defined(_WIN32)
  const int handle = _wopen(temporary.c_str(), _O_RDWR | _O_BINARY);
  bool ok = handle >= 0 && _commit(handle) == 0;
  std::string reason = ok ? std::string() : system_message(errno);
  if (handle >= 0) _close(handle);
#else
  const int handle = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
  bool ok = handle >= 0 && ::fsync(handle) == 0;
  std::string reason = ok ? std::string() : system_message(errno);
  if (handle >= 0) ::close(handle);
#endif
  if (ok) {
    std::error_code code;
    std::filesystem::rename(temporary, native_path(path), code);
    ok = !code;
    reason = code.message();
  }
  if (!ok) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    fail(ATA_IO_ERROR, "cannot write '", path, "': ", reason);
  }
}

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), temporary_path_(temporary_path_beside(path)) {
#if defined(_WIN32)
  file_ = _wfopen(native_path(temporary_path_).c_str(), L"wb");
#else
  file_ = std::fopen(temporary_path_.c_str(), "wb");
#endif
  if (!file_) fail(ATA_IO_ERROR, "cannot write '", path, "': ", system_message(errno));
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  std::fclose(file_);
  std::error_code ignored;
  std::filesystem::remove(native_path(temporary_path_), ignored);
}

void AtomicFile::write(const void* data, size_t size) {
  if (size > 0 && std::fwrite(data, 1, size, file_) != size) {
    fail(ATA_IO_ERROR, "cannot write '", path_, "': ", system_message(errno));
  }
}

void AtomicFile::commit() {
  std::FILE* const file = file_;
  file_ = nullptr;
  if (std::fclose(file) != 0) {
    const std::string reason = system_message(errno);
    std::error_code ignored;
    std::filesystem::remove(native_path(temporary_path_), ignored);
    fail(ATA_IO_ERROR, "cannot write '", path_, "': ", reason);
  }
  replace_file(temporary_path_, path_);
}

}  // namespace ata
