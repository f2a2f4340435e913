#ifndef ATA_OPS_CPU_DEVICE_H_
#define ATA_OPS_CPU_DEVICE_H_

#include "backend/device.h"

namespace ata {

/// The device "cpu": the host's memory and the kernels of the files *_cpu.cc. Always there; work on
/// its streams is done when a call returns.
Device& cpu_device();

}  // namespace ata

#endif  // ATA_OPS_CPU_DEVICE_H_
