#ifndef ATA_OPS_DEVICES_H_
#define ATA_OPS_DEVICES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/device.h"
#include "base/plugin_loader.h"
#include "ops/cpu_device.h"

namespace ata {

/// What a device is asked for by.
struct DeviceName {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  /// Which one of its kind, from 0; -1: the first that can be used.
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
  /// Why there are none, such as a driver that is missing or too old.
  const char* (*reason)();
};

/// File stem and entry point of the CUDA plugin, whose entry returns its DevicePlugin's header.
inline constexpr char kCudaPlugin[] = "ata_cuda";
inline constexpr char kCudaPluginEntry[] = "ata_cuda_plugin";
/// The environment variable whose absolute path is taken for the plugin instead of the file that is
/// installed: one of another build, or one that emulates a GPU.
inline constexpr char kCudaPluginVariable[] = "ATA_CUDA_PLUGIN";

/// The device of this name. What was asked for or an error, never another device:
/// ATA_DEVICE_UNAVAILABLE when the name is unknown, the device is absent, or its plugin cannot be
/// loaded; the message has the reason. Thread-safe.
Device& device_by_name(const std::string& name);

/// A device of this machine, or a kind of device that cannot be used. All lives as long as the
/// process.
struct ListedDevice {
  /// What it is asked for by.
  const char* name;
  /// Null if it cannot be used.
  Device* device;
  /// Why it cannot; null if it can.
  const char* reason;
};

/// "cpu", then every GPU, or "cuda" with the reason why there is none, then what was registered.
/// Thread-safe.
std::vector<ListedDevice> list_devices();

/// Lets every device that was used or listed so far give back what it keeps between calls, and the
/// heap its free pages. Looks for no further ones. Thread-safe.
void release_device_caches();

/// Lets a device that lives as long as the process be found by its name: one that no plugin brings,
/// such as a test's. Thread-safe.
void register_device(Device& device);

}  // namespace ata

#endif  // ATA_OPS_DEVICES_H_
