#include "base/log.h"

#include <mutex>
#include <new>
#include <shared_mutex>

#include "base/text.h"

namespace ata {
namespace {

// Held shared while the callback runs, so that replacing the sink waits for calls in progress.
std::shared_mutex mutex;
ata_log_callback sink = nullptr;
void* sink_data = nullptr;
ata_log_level threshold = ATA_LOG_OFF;

}  // namespace

void set_log_sink(ata_log_callback callback, void* user_data, ata_log_level minimum) {
  std::unique_lock lock(mutex);
  sink = callback;
  sink_data = user_data;
  threshold = callback ? minimum : ATA_LOG_OFF;
}

bool log_enabled(ata_log_level level) {
  std::shared_lock lock(mutex);
  return level >= threshold && threshold != ATA_LOG_OFF;
}

void log(ata_log_level level, const std::string& message) noexcept {
  std::shared_lock lock(mutex);
  if (!sink || level < threshold || threshold == ATA_LOG_OFF) return;
  try {
    sink(level, printable(message).c_str(), sink_data);
  } catch (const std::bad_alloc&) {
    sink(level, "a message was lost: out of memory", sink_data);
  }
}

}  // namespace ata
