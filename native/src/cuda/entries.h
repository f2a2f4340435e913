#ifndef ATA_CUDA_ENTRIES_H_
#define ATA_CUDA_ENTRIES_H_

#include "backend/kernel_names.h"

/// The CUDA plugin's entries of the kernel table; backend/kernels.h says what each one takes and
/// does.
namespace ata::cuda {

#define ATA_DECLARE(name) KernelEntry<decltype(Kernels::name)> name;
ATA_KERNEL_NAMES(ATA_DECLARE)
#undef ATA_DECLARE

}  // namespace ata::cuda

#endif  // ATA_CUDA_ENTRIES_H_
