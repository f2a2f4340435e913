#ifndef ATA_BACKEND_BACKEND_H_
#define ATA_BACKEND_BACKEND_H_

#include <cstdint>
#include <string>

#include "backend/kernels.h"
#include "base/plugin_loader.h"

namespace ata {

/// A device by name.
struct Device {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  /// Which one of its kind, from 0.
  int32_t index = 0;
};

/// Parses "cpu", "cuda" (the first GPU) or "cuda:N". Throws ATA_DEVICE_UNAVAILABLE naming the valid
/// ones for anything else.
Device parse_device(const std::string& name);

/// What the shared library of a device kind exports; `kernels->version` is the header's.
struct DevicePlugin {
  PluginHeader header;  ///< api_version is kKernelsVersion.
  /// Number of usable devices; 0 when there are none.
  int32_t (*device_count)();
  /// The table of one device, which lives as long as the process.
  const Kernels* (*kernels)(int32_t index);
};

/// File stem and entry point of the CUDA plugin, whose entry returns its DevicePlugin's header.
inline constexpr char kCudaPlugin[] = "ata_cuda";
inline constexpr char kCudaPluginEntry[] = "ata_cuda_plugin";

/// The kernels of the device of this name. What was asked for or an error, never another device:
/// ATA_DEVICE_UNAVAILABLE when the name is unknown, the device is absent, or its plugin cannot be
/// loaded; the message has the reason. Thread-safe.
const Kernels& kernels_for(const std::string& device);

}  // namespace ata

#endif  // ATA_BACKEND_BACKEND_H_
