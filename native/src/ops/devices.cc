#include "ops/devices.h"

#include <charconv>
#include <string_view>

#include "backend/kernels.h"
#include "base/text.h"

namespace ata {
namespace {

constexpr std::string_view kCudaPrefix = "cuda:";

Device& cuda_device(int32_t index) {
  static const PluginLoad load = load_plugin(kCudaPlugin, kCudaPluginEntry, kKernelsVersion);
  if (!load.table) {
    fail(ATA_DEVICE_UNAVAILABLE, "device 'cuda' needs ", plugin_file_name(kCudaPlugin),
         ", which cannot be loaded: ", load.reason(), "; use device 'cpu' or install the plugin");
  }
  const auto* plugin = reinterpret_cast<const DevicePlugin*>(load.table);
  const int32_t count = plugin->device_count();
  if (index >= count) {
    fail(ATA_DEVICE_UNAVAILABLE, "device 'cuda:", index, "' does not exist: this machine has ",
         count, " usable CUDA device", count == 1 ? "" : "s", "; use device 'cpu'",
         count == 0 ? "" : concat(" or 'cuda:0' to 'cuda:", count - 1, "'"));
  }
  return *plugin->device(index);
}

}  // namespace

DeviceName parse_device(const std::string& name) {
  if (name == "cpu") return {DeviceName::Kind::kCpu, 0};
  if (name == "cuda") return {DeviceName::Kind::kCuda, 0};
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
  const DeviceName parsed = parse_device(name);
  return parsed.kind == DeviceName::Kind::kCpu ? cpu_device() : cuda_device(parsed.index);
}

}  // namespace ata
