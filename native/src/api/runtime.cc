#include <nlohmann/json.hpp>

#include "api/boundary.h"
#include "backend/backend.h"
#include "backend/cpu_info.h"
#include "base/log.h"
#include "base/plugin_loader.h"
#include "base/threads.h"
#include "video/video.h"

using ata::api::guard;
using ata::api::require_enum;
using ata::api::require_pointer;

namespace ata::api {
namespace {

// Truncated rather than lost when it does not fit: a longer message would need memory that may be
// just what has run out.
thread_local char last_error[4096] = "";

}  // namespace

void set_last_error(const char* message) noexcept {
  const size_t length = std::min(std::strlen(message), sizeof(last_error) - 1);
  std::memcpy(last_error, message, length);
  // Do not end in the middle of a UTF-8 sequence.
  size_t end = length;
  if (message[length] != '\0') {
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
  }
  last_error[end] = '\0';
}

}  // namespace ata::api

const char* ata_last_error(void) noexcept {
  return ata::api::last_error;
}

const char* ata_version(void) noexcept {
  return ata::build_version();
}

uint32_t ata_abi_version(void) noexcept {
  return ATA_ABI_VERSION;
}

ata_status ata_set_log_callback(ata_log_callback callback, void* user_data,
                                ata_log_level minimum) noexcept {
  return guard([&] {
    require_enum(minimum, ATA_LOG_OFF, "minimum");
    ata::set_log_sink(callback, user_data, minimum);
  });
}

ata_status ata_set_thread_count(int32_t count) noexcept {
  return guard([&] {
    ata::require(count >= 0 && count <= 1024, "count is ", count,
                 "; ask for 1 to 1024 threads, or 0 for the number of cores");
    ata::set_thread_count(count);
  });
}

int32_t ata_thread_count(void) noexcept {
  return ata::thread_count();
}

ata_status ata_cancellation_create(ata_cancellation** cancellation) noexcept {
  return guard([&] {
    require_pointer(cancellation, "cancellation");
    *cancellation = new ata_cancellation{std::make_shared<std::atomic<bool>>(false)};
  });
}

void ata_cancellation_cancel(ata_cancellation* cancellation) noexcept {
  if (cancellation) cancellation->flag->store(true);
}

void ata_cancellation_release(ata_cancellation* cancellation) noexcept {
  delete cancellation;
}
