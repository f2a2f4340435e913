// Device memory and streams of programs that use the GPU themselves, through the C API.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "../api/handles.h"
#include "api/dlpack.h"
#include "emulated_gpu.h"
#include "support/mentions.h"

namespace {

constexpr size_t kBytes = 6 * sizeof(float);
const std::vector<float> kValues = {1, 2, 3, 4, 5, 6};

// Another framework's tensor f32 [2, 3] in memory of a GPU, or what it says of itself.
struct Foreign {
  Foreign(void* data, DLDeviceType type, int device) {
    managed.version = {1, 0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensorVersioned* self) {
      ++static_cast<Foreign*>(self->manager_ctx)->deleted;
    };
    managed.flags = 0;
    managed.dl_tensor = {data, {type, device}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0};
  }
  int64_t shape[2] = {2, 3};
  DLManagedTensorVersioned managed;
  int deleted = 0;
};

class GpuApi : public ::testing::Test {
 protected:
  GpuApi() { emulated_gpu::use(); }

  static std::vector<float> values_of(const ata_tensor* tensor) {
    ata_tensor* copy = nullptr;
    EXPECT_EQ(ata_tensor_copy(tensor, "cpu", &copy), ATA_OK) << ata_last_error();
    const Handle<ata_tensor> host(copy);
    const ata_tensor_info info = info_of(copy);
    const auto* const values = static_cast<const float*>(info.data);
    return {values, values + info.size / sizeof(float)};
  }

  // Memory of a GPU with kValues.
  static void* filled(int device = 0) {
    const emulated_gpu::Stream stream(device);
    void* const memory = emulated_gpu::allocate(kBytes, device);
    emulated_gpu::copy(memory, kValues.data(), kBytes, stream.get());
    stream.synchronize();
    return memory;
  }

  static void expect_refused(Foreign& foreign, ata_status status,
                             std::initializer_list<const char*> parts) {
    ata_tensor* tensor = nullptr;
    EXPECT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), status);
    ata::expect_mentions(ata_last_error(), parts);
    EXPECT_EQ(tensor, nullptr);
    EXPECT_EQ(foreign.deleted, 0) << "what was refused stays the caller's";
  }
};

TEST_F(GpuApi, TakesAndLendsTensorsByDlpack) {
  for (const int device : {0, 1}) {
    void* const memory = filled(device);
    const std::string name = "cuda:" + std::to_string(device);
    Foreign foreign(memory, kDLCUDA, device);
    ata_tensor* taken = nullptr;
    ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &taken), ATA_OK) << ata_last_error();
    Handle<ata_tensor> tensor(taken);
    const ata_tensor_info info = info_of(taken);
    EXPECT_EQ(info.device, name);
    EXPECT_EQ(info.data, nullptr) << "the host cannot read it";
    EXPECT_EQ(values_of(taken), kValues);

    // And on to a third.
    DLManagedTensorVersioned* lent = nullptr;
    ASSERT_EQ(ata_tensor_to_dlpack(taken, &lent), ATA_OK) << ata_last_error();
    tensor.reset();
    EXPECT_EQ(foreign.deleted, 0);
    EXPECT_EQ(lent->dl_tensor.data, memory);
    EXPECT_EQ(lent->dl_tensor.device.device_type, kDLCUDA);
    EXPECT_EQ(lent->dl_tensor.device.device_id, device);
    ata_tensor* back = nullptr;
    ASSERT_EQ(ata_tensor_from_dlpack(lent, &back), ATA_OK) << ata_last_error();
    EXPECT_EQ(values_of(back), kValues);
    ata_tensor_release(back);
    EXPECT_EQ(foreign.deleted, 1);
    emulated_gpu::release(memory);
  }
}

TEST_F(GpuApi, TakesManagedMemory) {
  void* const memory = emulated_gpu::allocate_managed(kBytes);
  const emulated_gpu::Stream stream;
  emulated_gpu::copy(memory, kValues.data(), kBytes, stream.get());
  stream.synchronize();
  Foreign foreign(memory, kDLCUDAManaged, 0);
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), ATA_OK) << ata_last_error();
  EXPECT_EQ(values_of(tensor), kValues);
  ata_tensor_release(tensor);
  EXPECT_EQ(foreign.deleted, 1);
  emulated_gpu::release(memory);
}

TEST_F(GpuApi, RefusesWhatIsNotInTheGpusMemory) {
  float host[6] = {};
  Foreign of_host(host, kDLCUDA, 0);
  expect_refused(of_host, ATA_INVALID_ARGUMENT, {"the DLPack tensor's data", "cuda:0"});
  void* const memory = filled(0);
  Foreign elsewhere(memory, kDLCUDA, 1);
  expect_refused(elsewhere, ATA_INVALID_ARGUMENT, {"the DLPack tensor's data", "cuda:1"});
  Foreign absent(memory, kDLCUDA, 5);
  expect_refused(absent, ATA_DEVICE_UNAVAILABLE, {"cuda:5"});
  Foreign negative(memory, kDLCUDA, -1);
  expect_refused(negative, ATA_DEVICE_UNAVAILABLE, {"cuda:-1"});
  Foreign other(memory, static_cast<DLDeviceType>(10), 0);
  expect_refused(other, ATA_UNSUPPORTED, {"type 10"});
  emulated_gpu::release(memory);
  Foreign released(memory, kDLCUDA, 0);
  expect_refused(released, ATA_INVALID_ARGUMENT, {"cuda:0"});
}

TEST_F(GpuApi, SessionsRunOnTheCallersStream) {
  const ata_model_config config = small_config();
  ata_model* created = nullptr;
  ASSERT_EQ(ata_model_create(&config, 1, "cuda", &created), ATA_OK) << ata_last_error();
  const Handle<ata_model> model(created);
  std::vector<float> clip(size_t{3} * 3 * 32 * 32);
  for (size_t i = 0; i < clip.size(); ++i) clip[i] = static_cast<float>(i % 17) / 8 - 1;
  const auto host = wrap(clip.data(), clip.size() * sizeof(float), ATA_F32, {1, 3, 3, 32, 32});
  std::vector<float> expected(5), logits(5);
  ata_session* session = nullptr;
  ASSERT_EQ(ata_session_create(model.get(), nullptr, &session), ATA_OK);
  ASSERT_EQ(ata_session_forward(session, host.get(), nullptr, expected.data(), 5), ATA_OK)
      << ata_last_error();
  ata_session_release(session);

  const emulated_gpu::Stream stream;
  ata_session_options options;
  ASSERT_EQ(ata_session_options_init(&options, sizeof(options)), ATA_OK);
  options.stream = stream.get();
  ASSERT_EQ(ata_session_create(model.get(), &options, &session), ATA_OK) << ata_last_error();
  void* const memory = emulated_gpu::allocate(clip.size() * sizeof(float));
  Foreign foreign(memory, kDLCUDA, 0);
  int64_t shape[] = {1, 3, 3, 32, 32};
  foreign.managed.dl_tensor.ndim = 5;
  foreign.managed.dl_tensor.shape = shape;
  ata_tensor* there = nullptr;
  ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &there), ATA_OK) << ata_last_error();
  for (int pass = 0; pass < 4; ++pass) {
    emulated_gpu::copy(memory, clip.data(), clip.size() * sizeof(float), stream.get());
    ASSERT_EQ(ata_session_forward(session, there, nullptr, logits.data(), 5), ATA_OK)
        << ata_last_error();
    EXPECT_EQ(std::memcmp(logits.data(), expected.data(), 5 * sizeof(float)), 0) << pass;
  }
  ata_session_release(session);
  ata_tensor_release(there);
  EXPECT_EQ(foreign.deleted, 1);
  emulated_gpu::release(memory);

  options.stream = &options;
  session = nullptr;
  EXPECT_EQ(ata_session_create(model.get(), &options, &session), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "no CUDA stream");
  EXPECT_EQ(session, nullptr);
}

}  // namespace
