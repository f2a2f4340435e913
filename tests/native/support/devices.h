#ifndef ATA_TESTS_SUPPORT_DEVICES_H_
#define ATA_TESTS_SUPPORT_DEVICES_H_

#include <vector>

#include "ops/context.h"
#include "ops/cpu_device.h"

/// Every test of a program that links device_main.cc runs once on each device: the program repeats
/// its tests, a device an iteration.
namespace ata {

/// The devices that this machine and this build have: "cpu", "fenced", and the first GPU; or those
/// that the environment variable ATA_TEST_DEVICES names, with commas between. All go by their names
/// (device_by_name(), which throws for one that is not there).
const std::vector<Device*>& test_devices();

/// The one that tests run on now.
Device& test_device();
void set_test_device(Device& device);

/// A context on it that records on `tape` (may be null).
Context test_context(Tape* tape = nullptr);

/// A copy in its memory, and one in the host's, after all that test contexts have queued.
Tensor on_device(const Tensor& host);
Tensor on_host(const Tensor& tensor);

/// Replaces the values of a tensor in its memory; they are there for every stream.
void write_values(Tensor& to, const Tensor& host);

/// Largest accepted |difference| / |reference| (Euclidean norms) of a result and of a gradient, of
/// products in `dtype` on the device that tests run on.
struct Tolerance {
  double value;
  double gradient;
};
Tolerance tolerance_of(DType dtype);

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_DEVICES_H_
