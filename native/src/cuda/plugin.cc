#include "backend/kernels.h"
#include "base/plugin_loader.h"
#include "cuda/device.h"
#include "ops/devices.h"

namespace ata::cuda {
namespace {

int32_t device_count() {
  return static_cast<int32_t>(devices().devices.size());
}

Device* device(int32_t index) {
  return devices().devices[static_cast<size_t>(index)];
}

const char* reason() {
  return devices().reason.c_str();
}

}  // namespace
}  // namespace ata::cuda

#if defined(_WIN32)
#define ATA_PLUGIN_EXPORT __declspec(dllexport)
#else
#define ATA_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

extern "C" ATA_PLUGIN_EXPORT const ata::PluginHeader* ata_cuda_plugin(const ata::PluginHost* host) {
  static const ata::DevicePlugin plugin = {{ata::kKernelsVersion, ata::build_version()},
                                           ata::cuda::device_count,
                                           ata::cuda::device,
                                           ata::cuda::reason};
  ata::install_plugin_host(host);
  return &plugin.header;
}
