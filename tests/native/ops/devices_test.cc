#include "ops/devices.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "op_check.h"
#include "ops/checks.h"
#include "ops/cpu_info.h"

#if !defined(_WIN32)
#include "support/fenced_device.h"
#include "support/mentions.h"
#endif

namespace ata::testing {
namespace {

TEST(Devices, ParsesNames) {
  EXPECT_EQ(parse_device("cpu").kind, DeviceName::Kind::kCpu);
  EXPECT_EQ(parse_device("cuda").kind, DeviceName::Kind::kCuda);
  EXPECT_EQ(parse_device("cuda").index, -1);
  EXPECT_EQ(parse_device("cuda:12").index, 12);
  for (const char* name : {"", "gpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", "cuda:+1",
                           "cuda: 1", "cuda:99999999999"}) {
    expect_error(ATA_DEVICE_UNAVAILABLE, "'cpu', 'cuda' and 'cuda:N'", [&] { parse_device(name); });
  }
}

TEST(Devices, GivesTheOneThatWasAskedForOrAnError) {
  EXPECT_EQ(&device_by_name("cpu"), &cpu_device());
  try {
    EXPECT_EQ(device_by_name("cuda:0").info().name, "cuda:0");
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ATA_DEVICE_UNAVAILABLE);
    EXPECT_MENTIONS(error.what(), "cuda");
  }
}

TEST(Devices, DescribeThemselves) {
  const DeviceInfo info = test_device().info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.description.empty());
  EXPECT_EQ(test_device().kernels().version, kKernelsVersion);
  const int64_t before = test_device().memory_statistics().live_bytes;
  const Tensor tensor = make_context(test_device()).empty({1000});
  const MemoryStatistics with = test_device().memory_statistics();
  EXPECT_GE(with.live_bytes, before + 4000);
  EXPECT_GE(with.peak_bytes, with.live_bytes);
  const DeviceCapacity capacity = test_device().capacity();
  EXPECT_GT(capacity.free_bytes, 0);
  EXPECT_GE(capacity.total_bytes, capacity.free_bytes);
}

TEST(Devices, AreFoundByTheirNames) {
  EXPECT_EQ(&device_by_name(test_device().info().name), &test_device());
  const std::vector<ListedDevice> list = list_devices();
  EXPECT_EQ(list.front().device, &cpu_device());
  bool listed = false;
  for (const ListedDevice& entry : list) {
    listed = listed || entry.device == &test_device();
    ASSERT_EQ(entry.device == nullptr, entry.reason != nullptr);
    if (entry.device != nullptr) {
      EXPECT_EQ(entry.device->info().name, entry.name);
    } else {
      expect_error(ATA_DEVICE_UNAVAILABLE, entry.reason, [&] { device_by_name(entry.name); });
    }
  }
  EXPECT_TRUE(listed);
}

TEST(Devices, TellWhatOnlyTheySawGoWrong) {
  const Context context = test_context();
  const auto set = [&](int32_t bits) {
    Tensor host({1}, DType::kI32);
    host.data<int32_t>()[0] = bits;
    context.assign(context.stream->status, host);
  };
  context.check_status("a pass");
  set(kFeatureNotFinite);
  expect_error(ATA_NOT_FINITE, "a pass", [&] { context.check_status("a pass"); });
  context.check_status("the next");
  set(kFeatureNotFinite);
  expect_error(ATA_INVALID_ARGUMENT, "not finite",
               [&] { context.check_status("a pass", ATA_INVALID_ARGUMENT); });
  set(kPatchOutOfRange);
  expect_error(ATA_INVALID_ARGUMENT, "patches", [&] { context.check_status("a pass"); });
}

TEST(Devices, SeeWhatIsNotFinite) {
  const Context context = test_context();
  Tensor host = Tensor::zeros({1000}, DType::kF32);
  host.data<float>()[0] = std::numeric_limits<float>::max();
  host.data<float>()[1] = -std::numeric_limits<float>::max();
  EXPECT_TRUE(all_finite(context, host));
  EXPECT_TRUE(all_finite(context, on_device(host)));
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    host.data<float>()[777] = value;
    EXPECT_FALSE(all_finite(context, host));
    EXPECT_FALSE(all_finite(context, on_device(host)));
  }
}

TEST(Devices, CopyInEveryDirection) {
  const Context context = test_context();
  Tensor host({3}, DType::kI32);
  for (int32_t i = 0; i < 3; ++i) host.data<int32_t>()[i] = 7 + i;
  const Tensor first = context.upload(host);
  Tensor second = context.zeros({3}, DType::kI32);
  EXPECT_EQ(context.download(second).values<int32_t>()[1], 0);
  context.assign(second, first);
  const Tensor third = context.copy(second);
  EXPECT_NE(third.address(), second.address());
  test_device().synchronize(*context.stream);
  const Tensor back = context.download(third);
  EXPECT_EQ(back.device(), nullptr);
  EXPECT_NE(back.address(), third.address());
  EXPECT_TRUE(same_bits(on_device(back), first));
  EXPECT_FALSE(context.upload(Tensor()));
  EXPECT_EQ(context.upload(first).address(), first.address());
}

TEST(Devices, DescribesTheProcessor) {
  const CpuInfo info = cpu_info();
  EXPECT_NE(info.vector_targets.find(info.vector_target), std::string::npos);
  EXPECT_FALSE(info.vector_target.empty());
  EXPECT_FALSE(info.onednn_isa.empty());
  EXPECT_EQ(info.onednn_version.find("2."), 0u) << info.onednn_version;
  EXPECT_FALSE(info.highway_version.empty());
}

#if !defined(_WIN32)
// That the fence is closed, so that a pass that ends on it has read nothing on the host.
TEST(FencedDevice, CatchesAReadOnTheHost) {
  const Context context = make_context(fenced_device());
  const Tensor tensor = context.zeros({4});
  EXPECT_EQ(tensor.device(), &fenced_device());
  expect_error(ATA_INTERNAL, "devices_test.cc", [&] { tensor.data<float>(); });
  EXPECT_THROW(tensor.clone(), Error);
  EXPECT_THROW(tensor.slice(1, 2).raw(), Error);
}

TEST(FencedDeviceDeathTest, CatchesAPointerThatEscaped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Context context = make_context(fenced_device());
  const Tensor tensor = context.zeros({4});
  const auto* escaped = static_cast<const volatile float*>(tensor.address());
  EXPECT_DEATH(static_cast<void>(*escaped), "");
  // And it opens for what is queued, and closes after that.
  Tensor sum = context.copy(tensor);
  context.run(&Kernels::add, tensor, sum);
  EXPECT_EQ(context.download(sum).values<float>()[0], 0.0f);
  EXPECT_DEATH(static_cast<void>(*escaped), "");
}
#endif

}  // namespace
}  // namespace ata::testing
