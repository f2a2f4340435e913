// Tensors lent to and by other frameworks. What numpy and PyTorch make of them is their side; this
// is the standard's.

#include "api/dlpack.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "ata/ata.h"
#include "ata/ata.hpp"
#include "handles.h"

namespace {

// Another framework's tensor f32 [2, 3] over memory that it owns, at an offset into it.
struct Foreign {
  Foreign() {
    managed.version = {1, 2};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensorVersioned* self) {
      ++static_cast<Foreign*>(self->manager_ctx)->deleted;
    };
    managed.flags = 0;
    managed.dl_tensor = {memory, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 8};
  }

  float memory[8] = {-1, -1, 1, 2, 3, 4, 5, 6};
  int64_t shape[9] = {2, 3};
  int64_t strides[9] = {3, 1};
  DLManagedTensorVersioned managed;
  int deleted = 0;
};

TEST(Dlpack, TakesTheMemoryOverAndGivesItBackOnce) {
  Foreign foreign;
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), ATA_OK) << ata_last_error();
  const ata_tensor_info info = info_of(tensor);
  EXPECT_EQ(info.data, foreign.memory + 2);
  EXPECT_EQ(info.size, 24u);
  EXPECT_EQ(info.dtype, ATA_F32);
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.shape[1], 3);
  EXPECT_EQ(info.read_only, 0);
  ata_tensor_file* file = nullptr;
  ASSERT_EQ(ata_tensor_file_create(&file), ATA_OK);
  ASSERT_EQ(ata_tensor_file_set(file, "a", tensor), ATA_OK);
  ata_tensor_release(tensor);
  EXPECT_EQ(foreign.deleted, 0);
  ata_tensor_file_release(file);
  EXPECT_EQ(foreign.deleted, 1);
}

TEST(Dlpack, TakesWhatTheStandardLeavesOpen) {
  Foreign foreign;
  foreign.managed.dl_tensor.strides = nullptr;
  foreign.managed.deleter = nullptr;
  foreign.managed.flags = kDLReadOnly | 2 | 4;
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), ATA_OK) << ata_last_error();
  EXPECT_EQ(info_of(tensor).read_only, 1);
  ata_tensor_release(tensor);

  // A scalar, and an empty tensor without memory.
  foreign.managed.dl_tensor.ndim = 0;
  foreign.managed.dl_tensor.shape = nullptr;
  ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), ATA_OK) << ata_last_error();
  EXPECT_EQ(info_of(tensor).size, 4u);
  ata_tensor_release(tensor);
  foreign = Foreign();
  foreign.managed.manager_ctx = &foreign;
  foreign.managed.dl_tensor = {nullptr, {kDLCPU, 0}, 2, {kDLInt, 64, 1}, foreign.shape, nullptr, 0};
  foreign.shape[1] = 0;
  ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), ATA_OK) << ata_last_error();
  EXPECT_EQ(info_of(tensor).size, 0u);
  ata_tensor_release(tensor);
  EXPECT_EQ(foreign.deleted, 1);
}

TEST(Dlpack, EveryElementTypeComesAndGoes) {
  const struct {
    ata_dtype dtype;
    DLDataType type;
  } types[] = {{ATA_F32, {kDLFloat, 32, 1}},
               {ATA_BF16, {kDLBfloat, 16, 1}},
               {ATA_I32, {kDLInt, 32, 1}},
               {ATA_I64, {kDLInt, 64, 1}},
               {ATA_U8, {kDLUInt, 8, 1}}};
  for (const auto& [dtype, type] : types) {
    Foreign foreign;
    foreign.managed.dl_tensor.dtype = type;
    foreign.shape[1] = 1;
    foreign.strides[0] = 1;
    ata_tensor* tensor = nullptr;
    ASSERT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), ATA_OK) << ata_last_error();
    EXPECT_EQ(info_of(tensor).dtype, dtype);
    DLManagedTensorVersioned* lent = nullptr;
    ASSERT_EQ(ata_tensor_to_dlpack(tensor, &lent), ATA_OK) << ata_last_error();
    EXPECT_EQ(lent->dl_tensor.dtype.code, type.code);
    EXPECT_EQ(lent->dl_tensor.dtype.bits, type.bits);
    EXPECT_EQ(lent->dl_tensor.dtype.lanes, 1);
    lent->deleter(lent);
    ata_tensor_release(tensor);
    EXPECT_EQ(foreign.deleted, 1);
  }
}

TEST(Dlpack, RefusesWhatItCannotUseAndLeavesItToTheCaller) {
  const auto refused = [](ata_status expected, const char* text, auto change) {
    Foreign foreign;
    change(foreign);
    ata_tensor* tensor = nullptr;
    EXPECT_EQ(ata_tensor_from_dlpack(&foreign.managed, &tensor), expected);
    EXPECT_NE(std::string(ata_last_error()).find(text), std::string::npos) << ata_last_error();
    EXPECT_EQ(tensor, nullptr);
    EXPECT_EQ(foreign.deleted, 0);
  };
  const auto with = [&](ata_status expected, const char* text, auto change) {
    refused(expected, text, [&](Foreign& foreign) { change(foreign.managed.dl_tensor); });
  };
  for (const uint32_t major : {0u, 2u}) {
    refused(ATA_UNSUPPORTED, "max_version", [&](Foreign& f) { f.managed.version.major = major; });
  }
  with(ATA_UNSUPPORTED, "device of type 4", [](DLTensor& t) { t.device.device_type = 4; });
  with(ATA_DEVICE_UNAVAILABLE, "use device 'cpu'", [](DLTensor& t) { t.device = {kDLCUDA, 999}; });
  with(ATA_UNSUPPORTED, "64 bits", [](DLTensor& t) { t.dtype.bits = 64; });
  with(ATA_UNSUPPORTED, "4 lanes", [](DLTensor& t) { t.dtype.lanes = 4; });
  with(ATA_UNSUPPORTED, "type code 6", [](DLTensor& t) { t.dtype = {6, 8, 1}; });
  with(ATA_UNSUPPORTED, "stride 1 on axis 0", [](DLTensor& t) {
    t.strides[0] = 1;
    t.strides[1] = 2;
  });
  with(ATA_UNSUPPORTED, "stride 0 on axis 0", [](DLTensor& t) { t.strides[0] = 0; });
  with(ATA_INVALID_ARGUMENT, "-1 axes", [](DLTensor& t) { t.ndim = -1; });
  with(ATA_INVALID_ARGUMENT, "9 axes", [](DLTensor& t) { t.ndim = 9; });
  with(ATA_INVALID_ARGUMENT, "shape is NULL", [](DLTensor& t) { t.shape = nullptr; });
  with(ATA_INVALID_ARGUMENT, "data is NULL", [](DLTensor& t) { t.data = nullptr; });
  with(ATA_INVALID_ARGUMENT, "not aligned", [](DLTensor& t) { t.byte_offset = 3; });
  with(ATA_INVALID_ARGUMENT, "byte_offset", [](DLTensor& t) { t.byte_offset = UINT64_MAX - 7; });
  with(ATA_INVALID_ARGUMENT, "beyond all memory",
       [](DLTensor& t) { t.byte_offset = UINT64_MAX - 7 - reinterpret_cast<uintptr_t>(t.data); });
  with(ATA_INVALID_ARGUMENT, "negative", [](DLTensor& t) { t.shape[0] = -2; });
  with(ATA_INVALID_ARGUMENT, "too large", [](DLTensor& t) { t.shape[0] = INT64_MAX / 2; });
  ata_tensor* tensor = nullptr;
  EXPECT_EQ(ata_tensor_from_dlpack(nullptr, &tensor), ATA_INVALID_ARGUMENT);
  Foreign foreign;
  EXPECT_EQ(ata_tensor_from_dlpack(&foreign.managed, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(foreign.deleted, 0);
}

TEST(Dlpack, LendsMemoryThatOutlivesTheHandle) {
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  int released = 0;
  ata_tensor_info info = describe(values.data(), 24, ATA_F32, std::vector<int64_t>{3, 1, 2});
  info.read_only = 1;
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(
      ata_tensor_wrap(
          &info, [](void* user_data) { ++*static_cast<int*>(user_data); }, &released, &tensor),
      ATA_OK);
  DLManagedTensorVersioned* lent = nullptr;
  ASSERT_EQ(ata_tensor_to_dlpack(tensor, &lent), ATA_OK) << ata_last_error();
  ata_tensor_release(tensor);
  EXPECT_EQ(released, 0);
  EXPECT_EQ(lent->version.major, 1u);
  EXPECT_EQ(lent->flags, kDLReadOnly);
  const DLTensor& given = lent->dl_tensor;
  EXPECT_EQ(given.data, values.data());
  EXPECT_EQ(given.byte_offset, 0u);
  EXPECT_EQ(given.device.device_type, kDLCPU);
  EXPECT_EQ(given.device.device_id, 0);
  ASSERT_EQ(given.ndim, 3);
  EXPECT_EQ(std::vector<int64_t>(given.shape, given.shape + 3), (std::vector<int64_t>{3, 1, 2}));
  EXPECT_EQ(std::vector<int64_t>(given.strides, given.strides + 3),
            (std::vector<int64_t>{2, 2, 1}));
  // And back again, which is the same memory, given back from another thread.
  ASSERT_EQ(ata_tensor_from_dlpack(lent, &tensor), ATA_OK) << ata_last_error();
  EXPECT_EQ(info_of(tensor).data, values.data());
  EXPECT_EQ(info_of(tensor).read_only, 1);
  std::thread([&] { ata_tensor_release(tensor); }).join();
  EXPECT_EQ(released, 1);
  EXPECT_EQ(ata_tensor_to_dlpack(nullptr, &lent), ATA_INVALID_ARGUMENT);
}

TEST(Dlpack, CppFormsOwnWhatTheyTake) {
  int released = 0;
  std::vector<float> values = {1, 2, 3, 4};
  {
    ata::Tensor tensor =
        ata::Tensor::wrap(std::span<float>(values), {2, 2}, [&released] { ++released; });
    tensor.data<float>()[3] = 9;
    DLManagedTensorVersioned* lent = tensor.to_dlpack();
    tensor = ata::Tensor::zeros<float>({1});
    EXPECT_EQ(released, 0);
    const ata::Tensor back = ata::Tensor::from_dlpack(lent);
    EXPECT_EQ(back.data<float>()[3], 9);
    EXPECT_EQ(back.strides()[0], 2);
    EXPECT_EQ(back.device(), "cpu");
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);

  // What cannot be wrapped is not given back.
  EXPECT_THROW(ata::Tensor::wrap(std::span<float>(values), {3}, [&released] { ++released; }),
               ata::Error);
  EXPECT_THROW(ata::Tensor::wrap(std::span<float>(values), std::vector<int64_t>(9, 1),
                                 [&released] { ++released; }),
               ata::Error);
  EXPECT_EQ(released, 1);

  // Memory of const elements cannot be written to by mistake.
  ata::Tensor constant = ata::Tensor::wrap(std::span<const float>(values), {4});
  EXPECT_TRUE(constant.read_only());
  EXPECT_THROW(constant.data<float>(), ata::Error);
  EXPECT_EQ(constant.data<const float>()[3], 9);
  EXPECT_EQ(static_cast<const ata::Tensor&>(constant).data<float>()[3], 9);
}

}  // namespace
