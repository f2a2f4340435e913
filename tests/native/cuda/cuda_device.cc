#include "cuda_device.h"

#include <cstdlib>

#include "ops/devices.h"

namespace ata {

Device& cuda_device() {
  setenv(kCudaPluginVariable, ATA_EMULATED_PLUGIN, /*overwrite=*/0);
  return device_by_name("cuda");
}

}  // namespace ata
