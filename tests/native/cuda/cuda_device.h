#ifndef ATA_TESTS_CUDA_CUDA_DEVICE_H_
#define ATA_TESTS_CUDA_CUDA_DEVICE_H_

#include "backend/device.h"

namespace ata {

/// A device of the plugin that ATA_CUDA_PLUGIN names: where it is not set, the emulated one.
Device& cuda_device(int index = 0);

}  // namespace ata

#endif  // ATA_TESTS_CUDA_CUDA_DEVICE_H_
