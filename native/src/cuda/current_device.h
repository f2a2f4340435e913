#ifndef ATA_CUDA_CURRENT_DEVICE_H_
#define ATA_CUDA_CURRENT_DEVICE_H_

#include "cuda/launch.h"

namespace ata::cuda {

/// Makes a GPU the calling thread's current one, as the runtime wants it for every call, and puts
/// back what was: that is the business of the program.
class CurrentDevice {
 public:
  explicit CurrentDevice(int ordinal) : ordinal_(ordinal) {
    check(cudaGetDevice(&before_), "asking for the current GPU");
    if (before_ != ordinal_) check(cudaSetDevice(ordinal_), "choosing a GPU");
  }
  ~CurrentDevice() {
    if (before_ != ordinal_) cudaSetDevice(before_);
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  const int ordinal_;
  int before_ = 0;
};

}  // namespace ata::cuda

#endif  // ATA_CUDA_CURRENT_DEVICE_H_
