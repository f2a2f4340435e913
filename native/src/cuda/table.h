#ifndef ATA_CUDA_TABLE_H_
#define ATA_CUDA_TABLE_H_

#include "backend/kernels.h"

namespace ata::cuda {

/// The plugin's entries.
const Kernels& table();

}  // namespace ata::cuda

#endif  // ATA_CUDA_TABLE_H_
