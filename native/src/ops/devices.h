#ifndef ATA_OPS_DEVICES_H_
#define ATA_OPS_DEVICES_H_

#include <cstdint>
#include <string>

#include "backend/device.h"
#include "base/plugin_loader.h"
#include "ops/cpu_device.h"

namespace ata {

/// What a device is asked for by.
struct DeviceName {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  /// Which one of its kind, from 0.
  int32_t index = 0;
};

/// Parses "cpu", "cuda" (the first GPU) or "cuda:N". Throws ATA_DEVICE_UNAVAILABLE naming the valid
/// ones for anything else.
DeviceName parse_device(const std::string& name);

/// What the shared library of a device kind exports.
struct DevicePlugin {
  PluginHeader header;  ///< api_version is kKernelsVersion.
  /// Number of usable devices; 0 when there are none.
  int32_t (*device_count)();
  /// One device, which lives as long as the process.
  Device* (*device)(int32_t index);
};

/// File stem and entry point of the CUDA plugin, whose entry returns its DevicePlugin's header.
inline constexpr char kCudaPlugin[] = "ata_cuda";
inline constexpr char kCudaPluginEntry[] = "ata_cuda_plugin";

/// The device of this name. What was asked for or an error, never another device:
/// ATA_DEVICE_UNAVAILABLE when the name is unknown, the device is absent, or its plugin cannot be
/// loaded; the message has the reason. Thread-safe.
Device& device_by_name(const std::string& name);

}  // namespace ata

#endif  // ATA_OPS_DEVICES_H_
