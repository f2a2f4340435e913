#ifndef ATA_BASE_LOG_H_
#define ATA_BASE_LOG_H_

#include <string>

#include "ata/ata.h"

namespace ata {

/// Installs the process-wide sink; a null callback restores silence. Thread-safe.
void set_log_sink(ata_log_callback callback, void* user_data, ata_log_level minimum);

/// True when a message of this level would reach the sink; use it to skip building costly messages.
bool log_enabled(ata_log_level level);

/// Sends one line, without a trailing newline, to the sink, made printable (base/text.h).
/// Thread-safe; never throws.
void log(ata_log_level level, const std::string& message) noexcept;

}  // namespace ata

#endif  // ATA_BASE_LOG_H_
