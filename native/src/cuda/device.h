#ifndef ATA_CUDA_DEVICE_H_
#define ATA_CUDA_DEVICE_H_

#include <string>
#include <vector>

#include "backend/device.h"

namespace ata::cuda {

/// The usable GPUs of this machine in the runtime's order, found once; or why there is none.
struct Devices {
  std::vector<Device*> devices;
  std::string reason;
};
const Devices& devices();

}  // namespace ata::cuda

#endif  // ATA_CUDA_DEVICE_H_
