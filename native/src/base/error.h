#ifndef ATA_BASE_ERROR_H_
#define ATA_BASE_ERROR_H_

#include <exception>
#include <sstream>
#include <string>
#include <utility>

#include "ata/ata.h"

namespace ata {

/// The one exception type of the native core. The C boundary turns it into an `ata_status` and the
/// thread's error message, so a message must name the thing that is wrong and what to do about it.
///
/// Exported because the video and CUDA plugins throw it across the library boundary.
class ATA_EXPORT Error : public std::exception {
 public:
  Error(ata_status status, std::string message) : status_(status), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  ata_status status() const noexcept { return status_; }

 private:
  ata_status status_;
  std::string message_;
};

/// Concatenates its arguments as by `operator<<`.
template <typename... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

template <typename... Args>
[[noreturn]] void fail(ata_status status, const Args&... args) {
  throw Error(status, concat(args...));
}

/// Throws ATA_INVALID_ARGUMENT with the concatenated message unless `condition` holds.
template <typename... Args>
void require(bool condition, const Args&... args) {
  if (!condition) fail(ATA_INVALID_ARGUMENT, args...);
}

}  // namespace ata

#endif  // ATA_BASE_ERROR_H_
