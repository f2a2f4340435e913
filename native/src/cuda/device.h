#ifndef ATA_CUDA_DEVICE_H_
#define ATA_CUDA_DEVICE_H_

#include <string>
#include <vector>

#include "backend/device.h"

namespace ata::cuda {

/// The GPUs of this machine that can be used, "cuda:N" by the runtime's numbers, found once; or why
/// there is none.
struct Devices {
  std::vector<Device*> devices;
  std::string reason;
};
const Devices& devices();

}  // namespace ata::cuda

#endif  // ATA_CUDA_DEVICE_H_
