#ifndef ATA_OPS_CPU_H_
#define ATA_OPS_CPU_H_

#include "backend/kernel_names.h"

/// The CPU's entries of the kernel table; backend/kernels.h says what each one takes and does.
namespace ata::cpu {

#define ATA_DECLARE(name) KernelEntry<decltype(Kernels::name)> name;
ATA_KERNEL_NAMES(ATA_DECLARE)
#undef ATA_DECLARE

}  // namespace ata::cpu

#endif  // ATA_OPS_CPU_H_
