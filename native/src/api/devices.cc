#include "api/devices.h"

#include "api/boundary.h"

using ata::api::guard;
using ata::api::require_pointer;
using ata::api::write_struct;

ata_device_info ata::api::describe_device(const ListedDevice& listed) {
  ata_device_info info = {};
  info.name = listed.name;
  info.total_bytes = info.free_bytes = -1;
  info.reason = listed.reason;
  if (listed.device == nullptr) return info;
  const DeviceInfo& properties = listed.device->info();
  const DeviceCapacity capacity = listed.device->capacity();
  const MemoryStatistics used = listed.device->memory_statistics();
  info.description = properties.description.c_str();
  if (!properties.driver.empty()) info.driver = properties.driver.c_str();
  if (!properties.libraries.empty()) info.libraries = properties.libraries.c_str();
  info.total_bytes = capacity.total_bytes;
  info.free_bytes = capacity.free_bytes;
  info.live_bytes = used.live_bytes;
  info.peak_bytes = used.peak_bytes;
  info.available = 1;
  return info;
}

size_t ata_device_count(void) noexcept {
  size_t count = 0;
  guard([&] { count = ata::list_devices().size(); });
  return count;
}

ata_status ata_device_get_info(size_t index, ata_device_info* info) noexcept {
  return guard([&] {
    require_pointer(info, "info");
    const std::vector<ata::ListedDevice> devices = ata::list_devices();
    ata::require(index < devices.size(), "index is ", index, "; there are ", devices.size(),
                 " devices");
    write_struct(ata::api::describe_device(devices[index]), info, "ata_device_info");
  });
}
