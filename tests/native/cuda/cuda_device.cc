#include "cuda_device.h"

#include "base/error.h"
#include "emulated_gpu.h"
#include "ops/devices.h"

namespace ata {

Device& cuda_device(int index) {
  emulated_gpu::use();
  return device_by_name(concat("cuda:", index));
}

}  // namespace ata
