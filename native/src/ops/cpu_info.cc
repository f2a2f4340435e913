#include "ops/cpu_info.h"

#include <bit>
#include <dnnl.hpp>

#include "base/error.h"
#include "base/simd_targets.h"
#include "hwy/highway.h"
#include "hwy/targets.h"
#include "ops/matmul_cpu.h"

namespace ata {
namespace {

std::string isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "generic";
  }
}

}  // namespace

CpuInfo cpu_info() {
  CpuInfo info;
  // Better targets have lower bits.
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0;
       targets &= targets - 1) {
    const char* name = hwy::TargetName(targets & -targets);
    if (info.vector_target.empty()) info.vector_target = name;
    if (!info.vector_targets.empty()) info.vector_targets += ' ';
    info.vector_targets += name;
  }
  info.onednn_isa = isa_name(dnnl::get_effective_cpu_isa());
  const dnnl_version_t* version = dnnl_version();
  info.onednn_version = concat(version->major, '.', version->minor, '.', version->patch);
  info.highway_version = concat(HWY_MAJOR, '.', HWY_MINOR, '.', HWY_PATCH);
  info.native_bf16 = cpu::has_bf16_matmul();
  return info;
}

}  // namespace ata
