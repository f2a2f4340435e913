#include "devices.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/devices.h"

#if !defined(_WIN32)
#include "fenced_device.h"
#endif

namespace ata {
namespace {

Device* current = nullptr;

// Of contexts that tests made, on several threads at once: a tape keeps them, and their work may
// still be queued.
class MadeStreams {
 public:
  void add(const std::shared_ptr<Stream>& stream) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [](const auto& known) { return known.expired(); });
    streams_.push_back(stream);
  }
  void synchronize() {
    std::vector<std::weak_ptr<Stream>> known;
    {
      const std::lock_guard lock(mutex_);
      known = streams_;
    }
    for (const auto& weak : known) {
      if (const auto stream = weak.lock()) stream->device.synchronize(*stream);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Stream>> streams_;
};
MadeStreams streams;

struct DeviceTolerance {
  const char* device;
  DType dtype;
  Tolerance tolerance;
};
// The first that matches: a GPU sums in another order, and divides and takes roots less exactly.
constexpr DeviceTolerance kTolerances[] = {
    {"cuda", DType::kF32, {.value = 1e-5, .gradient = 4e-5}},
    {"cuda", DType::kBF16, {.value = 1e-2, .gradient = 2e-2}},
    {"", DType::kF32, {.value = 2e-6, .gradient = 1e-5}},
    {"", DType::kBF16, {.value = 1e-2, .gradient = 2e-2}},
};

// Those of a list with commas, all of which must be there.
std::vector<Device*> devices_of(const std::string& names) {
  std::vector<Device*> found;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    found.push_back(&device_by_name(names.substr(begin, end - begin)));
    begin = end + 1;
  }
  return found;
}

}  // namespace

const std::vector<Device*>& test_devices() {
  static const std::vector<Device*> devices = [] {
#if !defined(_WIN32)
    register_device(fenced_device());
#endif
    if (const char* const chosen = std::getenv("ATA_TEST_DEVICES")) return devices_of(chosen);
    std::vector<Device*> found = {&cpu_device()};
#if !defined(_WIN32)
    found.push_back(&fenced_device());
#endif
    try {
      found.push_back(&device_by_name("cuda"));
    } catch (const Error&) {
      // None here.
    }
    return found;
  }();
  return devices;
}

Device& test_device() {
  return current != nullptr ? *current : cpu_device();
}

void set_test_device(Device& device) {
  current = &device;
}

Context test_context(Tape* tape) {
  Context context = make_context(test_device());
  context.stream->allocator = make_workspace(test_device().memory());
  context.tape = tape;
  streams.add(context.stream);
  return context;
}

Tensor on_device(const Tensor& host) {
  return make_context(test_device()).copy(host);
}

Tensor on_host(const Tensor& tensor) {
  streams.synchronize();
  return make_context(test_device()).download(tensor);
}

void write_values(Tensor& to, const Tensor& host) {
  const Context context = make_context(test_device());
  context.assign(to, host);
  context.synchronize();
}

Tolerance tolerance_of(DType dtype) {
  const std::string device = test_device().info().name;
  for (const DeviceTolerance& row : kTolerances) {
    if (row.dtype == dtype && device.starts_with(row.device)) return row.tolerance;
  }
  fail(ATA_INTERNAL, "no tolerance for ", dtype_name(dtype));
}

}  // namespace ata
