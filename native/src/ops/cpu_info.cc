#include "ops/cpu_info.h"

#include <bit>
#include <cstring>
#include <dnnl.hpp>

#include "base/error.h"
#include "base/simd_targets.h"
#include "hwy/highway.h"
#include "hwy/targets.h"
#include "ops/matmul_cpu.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif
#if defined(_WIN32)
#include <windows.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#else
#include <fstream>
#endif

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
#if DNNL_VERSION_MAJOR >= 3
    case dnnl::cpu_isa::avx2_vnni_2:
      return "avx2_vnni_2";
    case dnnl::cpu_isa::avx512_core_fp16:
      return "avx512_core_fp16";
    case dnnl::cpu_isa::avx512_core_amx_fp16:
      return "avx512_core_amx_fp16";
#endif
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

std::string processor_name() {
#if defined(__x86_64__) && defined(__GNUC__)
  // Three leaves of sixteen characters each.
  constexpr unsigned kFirst = 0x80000002;
  char brand[49] = {};
  unsigned registers[4] = {};
  bool known = true;
  for (unsigned leaf = 0; leaf < 3 && known; ++leaf) {
    known =
        __get_cpuid(kFirst + leaf, &registers[0], &registers[1], &registers[2], &registers[3]) != 0;
    std::memcpy(brand + 16 * leaf, registers, sizeof(registers));
  }
  std::string name = known ? brand : "";
  name.erase(0, name.find_first_not_of(' '));
  name.erase(name.find_last_not_of(' ') + 1);
  if (!name.empty()) return name;
#endif
  return "processor with " + cpu_info().vector_target;
}

DeviceCapacity machine_memory() {
  DeviceCapacity memory;
#if defined(_WIN32)
  MEMORYSTATUSEX status = {};
  status.dwLength = sizeof(status);
  if (GlobalMemoryStatusEx(&status)) {
    memory.total_bytes = static_cast<int64_t>(status.ullTotalPhys);
    memory.free_bytes = static_cast<int64_t>(status.ullAvailPhys);
  }
#elif defined(__APPLE__)
  size_t size = sizeof(memory.total_bytes);
  if (sysctlbyname("hw.memsize", &memory.total_bytes, &size, nullptr, 0) != 0) {
    memory.total_bytes = -1;
  }
#else
  // Lines such as "MemTotal:       24618920 kB".
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (int64_t kilobytes = 0; file >> key >> kilobytes && std::getline(file, unit);) {
    if (key == "MemTotal:") memory.total_bytes = 1024 * kilobytes;
    if (key == "MemAvailable:") memory.free_bytes = 1024 * kilobytes;
  }
#endif
  return memory;
}

}  // namespace ata
