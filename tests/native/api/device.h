#ifndef ATA_TESTS_API_DEVICE_H_
#define ATA_TESTS_API_DEVICE_H_

#include <string>
#include <vector>

#include "handles.h"
#include "support/mentions.h"

// For the program whose tests run once on each device. Nothing here is of the library's inside,
// beside which ata.hpp could not be included.

/// Name of the device that tests run on now.
const char* device_name();

inline bool runs_on_cpu() {
  return device_name() == std::string("cpu");
}

/// Name of a device whose tensors the one that tests run on cannot take; null if there is none.
const char* third_device();

/// A copy in the memory of a device.
inline Handle<ata_tensor> copied(const ata_tensor* tensor, const char* device) {
  ata_tensor* copy = nullptr;
  EXPECT_EQ(ata_tensor_copy(tensor, device, &copy), ATA_OK) << ata_last_error();
  return Handle<ata_tensor>(copy);
}
inline Handle<ata_tensor> on_device(const Handle<ata_tensor>& tensor) {
  return copied(tensor.get(), device_name());
}

/// The elements of a tensor of any device.
template <typename T>
std::vector<T> values_of(const ata_tensor* tensor) {
  const auto host = copied(tensor, "cpu");
  const ata_tensor_info info = info_of(host.get());
  const auto* values = static_cast<const T*>(info.data);
  return {values, values + info.size / sizeof(T)};
}

/// Expects the last call to have failed with `status` because `tensor` is on the third device.
inline void expect_third_device_refused(ata_status status, const char* tensor) {
  EXPECT_EQ(status, ATA_INVALID_ARGUMENT);
  ata::expect_mentions(ata_last_error(),
                       {tensor, third_device(), device_name(), "ata_tensor_copy"});
}

#endif  // ATA_TESTS_API_DEVICE_H_
