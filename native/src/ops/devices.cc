#include "ops/devices.h"

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "backend/kernels.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace ata {
namespace {

constexpr std::string_view kCudaPrefix = "cuda:";

// The GPUs of this machine, found once.
struct CudaDevices {
  std::vector<Device*> devices;
  /// Why there are none.
  std::string reason;
};

// The plugin that ATA_CUDA_PLUGIN names, or the one that is installed; without its table the
// reason.
PluginLoad load_cuda_plugin(std::string& reason) {
  const char* const chosen = std::getenv(kCudaPluginVariable);
  if (chosen == nullptr || *chosen == '\0') {
    PluginLoad load = load_plugin(kCudaPlugin, kCudaPluginEntry, kKernelsVersion);
    reason = concat("device 'cuda' needs ", plugin_file_name(kCudaPlugin),
                    ", which cannot be loaded: ", load.reason(),
                    "; use device 'cpu', or install the plugin beside libata (a build of Ata with "
                    "CUDA's nvcc has it, and the NuGet package Ata.Native.Cuda)");
    return load;
  }
  PluginLoad load;
  std::string problem = "it must be an absolute path";
  if (native_path(chosen).is_absolute()) {
    load = load_plugin_file(chosen, kCudaPluginEntry, kKernelsVersion);
    problem = concat("this file cannot be loaded: ", load.reason());
  }
  reason = concat("device 'cuda' cannot be used: ", kCudaPluginVariable, " is '", shown(chosen),
                  "'; ", problem, "; unset it, name a CUDA plugin, or use device 'cpu'");
  return load;
}

CudaDevices find_cuda_devices() {
  CudaDevices found;
  std::string reason;
  const PluginLoad load = load_cuda_plugin(reason);
  if (!load.table) {
    found.reason = reason;
    return found;
  }
  const auto* plugin = reinterpret_cast<const DevicePlugin*>(load.table);
  const int32_t count = plugin->device_count();
  for (int32_t i = 0; i < count; ++i) found.devices.push_back(plugin->device(i));
  if (count == 0) {
    found.reason =
        concat("this machine has no usable CUDA device: ", plugin->reason(), "; use device 'cpu'");
  }
  return found;
}

// What cuda_devices() has found; null before its first call.
std::atomic<const CudaDevices*> found_cuda_devices = nullptr;

const CudaDevices& cuda_devices() {
  static const CudaDevices& found = *new CudaDevices(find_cuda_devices());
  found_cuda_devices = &found;
  return found;
}

// `index` -1: the first.
Device& cuda_device(int32_t index) {
  const CudaDevices& cuda = cuda_devices();
  if (cuda.devices.empty()) fail(ATA_DEVICE_UNAVAILABLE, cuda.reason);
  if (index < 0) return *cuda.devices.front();
  const std::string name = concat(kCudaPrefix, index);
  std::string others;
  for (Device* device : cuda.devices) {
    if (device->info().name == name) return *device;
    others += concat(" or '", device->info().name, "'");
  }
  fail(ATA_DEVICE_UNAVAILABLE, "device '", name,
       "' does not exist or cannot be used; use device 'cpu'", others);
}

struct Registry {
  std::mutex mutex;
  std::vector<Device*> devices;
};

Registry& registry() {
  static Registry& registry = *new Registry;
  return registry;
}

std::vector<Device*> registered_devices() {
  std::lock_guard lock(registry().mutex);
  return registry().devices;
}

}  // namespace

DeviceName parse_device(const std::string& name) {
  if (name == "cpu") return {DeviceName::Kind::kCpu, 0};
  if (name == "cuda") return {DeviceName::Kind::kCuda, -1};
  if (name.starts_with(kCudaPrefix)) {
    const char* first = name.data() + kCudaPrefix.size();
    const char* last = name.data() + name.size();
    int32_t index = -1;
    const auto [end, error] = std::from_chars(first, last, index);
    if (error == std::errc() && end == last && index >= 0) return {DeviceName::Kind::kCuda, index};
  }
  fail(ATA_DEVICE_UNAVAILABLE, "unknown device '", shown(name),
       "'; valid ones are 'cpu', 'cuda' and 'cuda:N' with N from 0");
}

Device& device_by_name(const std::string& name) {
  for (Device* device : registered_devices()) {
    if (device->info().name == name) return *device;
  }
  const DeviceName parsed = parse_device(name);
  return parsed.kind == DeviceName::Kind::kCpu ? cpu_device() : cuda_device(parsed.index);
}

std::vector<ListedDevice> list_devices() {
  std::vector<Device*> usable = {&cpu_device()};
  const CudaDevices& cuda = cuda_devices();
  usable.insert(usable.end(), cuda.devices.begin(), cuda.devices.end());
  std::vector<ListedDevice> list;
  for (Device* device : usable) list.push_back({device->info().name.c_str(), device, nullptr});
  if (cuda.devices.empty()) list.push_back({"cuda", nullptr, cuda.reason.c_str()});
  for (Device* device : registered_devices()) {
    list.push_back({device->info().name.c_str(), device, nullptr});
  }
  return list;
}

void release_device_caches() {
  std::vector<Device*> devices = registered_devices();
  devices.push_back(&cpu_device());
  if (const CudaDevices* cuda = found_cuda_devices) {
    devices.insert(devices.end(), cuda->devices.begin(), cuda->devices.end());
  }
  for (Device* device : devices) {
    try {
      device->release_caches();
    } catch (const Error& error) {
      log(ATA_LOG_WARNING, concat("device '", device->info().name,
                                  "' could not give back what it keeps: ", error.what()));
    }
  }
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

void register_device(Device& device) {
  std::lock_guard lock(registry().mutex);
  registry().devices.push_back(&device);
}

}  // namespace ata
