#include "base/file.h"

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

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
#if defined(_WIN32)
  temporary_path_ = concat(path, ".", GetCurrentProcessId(), ".tmp");
  file_ = _wfopen(native_path(temporary_path_).c_str(), L"wb");
#else
  temporary_path_ = concat(path, ".", ::getpid(), ".tmp");
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
  bool ok = std::fflush(file_) == 0;
#if defined(_WIN32)
  ok = ok && _commit(_fileno(file_)) == 0;
#else
  ok = ok && ::fsync(::fileno(file_)) == 0;
#endif
  if (!ok) fail(ATA_IO_ERROR, "cannot write '", path_, "': ", system_message(errno));
  std::FILE* file = file_;
  file_ = nullptr;
  const bool closed = std::fclose(file) == 0;
  const int close_error = errno;
  std::error_code code;
  if (closed) std::filesystem::rename(native_path(temporary_path_), native_path(path_), code);
  if (!closed || code) {
    std::error_code ignored;
    std::filesystem::remove(native_path(temporary_path_), ignored);
    fail(ATA_IO_ERROR, "cannot write '", path_,
         "': ", closed ? code.message() : system_message(close_error));
  }
}

}  // namespace ata
