#ifndef ATA_TESTS_SUPPORT_FENCED_DEVICE_H_
#define ATA_TESTS_SUPPORT_FENCED_DEVICE_H_

#include <cstdint>

#include "backend/device.h"

namespace ata {

/// The device "fenced": the CPU's kernels over memory that nobody can touch but a kernel entry or a
/// copy while it runs. Code that follows a pointer into it anywhere else dies, so that what runs on
/// it reads no device's memory on the host. For POSIX systems.
Device& fenced_device();

/// How many entries of its kernel table have run: a measure of work that no clock disturbs.
int64_t fenced_entries();

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_FENCED_DEVICE_H_
