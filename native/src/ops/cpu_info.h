#ifndef ATA_OPS_CPU_INFO_H_
#define ATA_OPS_CPU_INFO_H_

#include <string>

#include "backend/device.h"

namespace ata {

/// What the device "cpu" runs on, for diagnostics.
struct CpuInfo {
  /// The instruction set that the library's own vector code uses here, e.g. "AVX3".
  std::string vector_target;
  /// All that this processor and this build have, best first, e.g. "AVX3 AVX2 SSE4".
  std::string vector_targets;
  /// What oneDNN uses, e.g. "avx512_core_bf16".
  std::string onednn_isa;
  /// "2.6.3"
  std::string onednn_version;
  /// "1.0.3"
  std::string highway_version;
  /// True when bf16 products run in bf16; otherwise values are rounded to bf16 and multiplied in
  /// f32, with the same results and without the speed.
  bool native_bf16 = false;
};

CpuInfo cpu_info();

/// The processor's name as its maker calls it, or what is known of it.
std::string processor_name();

/// Memory of the machine. Free is what can be had without taking it from running programs.
DeviceCapacity machine_memory();

}  // namespace ata

#endif  // ATA_OPS_CPU_INFO_H_
