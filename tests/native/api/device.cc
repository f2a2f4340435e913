#include "device.h"

#include "support/devices.h"

const char* device_name() {
  return ata::test_device().info().name.c_str();
}

const char* third_device() {
  for (const ata::Device* device : ata::test_devices()) {
    if (device != &ata::test_device() && device != &ata::cpu_device()) {
      return device->info().name.c_str();
    }
  }
  return nullptr;
}
