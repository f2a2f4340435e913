#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "device.h"
#include "support/scratch.h"

namespace {

TEST(CApiTensor, CreatesZeroedMemoryAndDescribesIt) {
  const int64_t shape[] = {2, 3};
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_create(ATA_I64, shape, 2, device_name(), &tensor), ATA_OK)
      << ata_last_error();
  const ata_tensor_info info = info_of(tensor);
  EXPECT_EQ(info.dtype, ATA_I64);
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.shape[0], 2);
  EXPECT_EQ(info.shape[1], 3);
  EXPECT_EQ(info.shape[2], 0);
  EXPECT_EQ(info.size, 48u);
  EXPECT_STREQ(info.device, device_name());
  EXPECT_EQ(info.data == nullptr, !runs_on_cpu());
  EXPECT_EQ(values_of<int64_t>(tensor), std::vector<int64_t>(6));
  ata_tensor_release(tensor);
}

TEST(CApiTensor, RefusesWhatCannotBe) {
  const int64_t negative[] = {-1};
  const int64_t two[] = {2};
  float values[2] = {};
  ata_tensor* tensor = nullptr;
  EXPECT_EQ(ata_tensor_create(ATA_F32, negative, 1, nullptr, &tensor), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_create(static_cast<ata_dtype>(99), two, 1, nullptr, &tensor),
            ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_create(ATA_F32, two, 9, nullptr, &tensor), ATA_INVALID_ARGUMENT);
  for (const char* absent : {"tpu", "", "cuda:999"}) {
    EXPECT_EQ(ata_tensor_create(ATA_F32, two, 1, absent, &tensor), ATA_DEVICE_UNAVAILABLE);
    EXPECT_MENTIONS(ata_last_error(), "'cpu'");
  }
  int released = 0;
  const auto count = [](void* user_data) { ++*static_cast<int*>(user_data); };
  const auto refused = [&](ata_status expected, const char* text, const ata_tensor_info& info) {
    EXPECT_EQ(ata_tensor_wrap(&info, count, &released, &tensor), expected);
    EXPECT_NE(std::string(ata_last_error()).find(text), std::string::npos) << ata_last_error();
  };
  refused(ATA_INVALID_ARGUMENT, "needs 8 bytes, not 4", describe(values, 4, ATA_F32, two));
  refused(ATA_INVALID_ARGUMENT, "data is NULL", describe(nullptr, 8, ATA_F32, two));
  refused(ATA_INVALID_ARGUMENT, "not aligned",
          describe(reinterpret_cast<char*>(values) + 1, 8, ATA_F32, two));
  refused(ATA_INVALID_ARGUMENT, "dtype is 99",
          describe(values, 8, static_cast<ata_dtype>(99), two));
  refused(ATA_INVALID_ARGUMENT, "negative", describe(values, 8, ATA_F32, negative));
  ata_tensor_info info = describe(values, 8, ATA_F32, two);
  info.rank = 9;
  refused(ATA_INVALID_ARGUMENT, "rank is 9", info);
  info = describe(values, 8, ATA_F32, two);
  info.device = "cuda:0";
  refused(ATA_UNSUPPORTED, "cuda:0", info);
  info = describe(values, 8, ATA_F32, two);
  info.read_only = 2;
  refused(ATA_INVALID_ARGUMENT, "read_only is 2", info);
  info = describe(values, 8, ATA_F32, two);
  info.reserved = 1;
  refused(ATA_INVALID_ARGUMENT, "reserved", info);
  EXPECT_EQ(ata_tensor_wrap(nullptr, count, &released, &tensor), ATA_INVALID_ARGUMENT);
  info = describe(values, 8, ATA_F32, two);
  EXPECT_EQ(ata_tensor_wrap(&info, count, &released, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(tensor, nullptr);
  EXPECT_EQ(released, 0) << "memory that was not taken over was given back";
}

TEST(CApiTensor, CopiesBetweenDevices) {
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const auto host = wrap(values.data(), 24, ATA_F32, {3, 2});
  const auto there = on_device(host);
  const auto again = on_device(there);
  values[0] = 7;
  const std::vector<float> expected = {1, 2, 3, 4, 5, 6};
  for (const auto* copy : {&there, &again}) {
    const ata_tensor_info info = info_of(copy->get());
    EXPECT_STREQ(info.device, device_name());
    EXPECT_EQ(info.read_only, 0);
    EXPECT_EQ(info.shape[0], 3);
    EXPECT_EQ(info.strides[0], 2);
    EXPECT_EQ(values_of<float>(copy->get()), expected);
  }
  // Over the elements of another, in every direction.
  ASSERT_EQ(ata_tensor_copy_into(host.get(), there.get()), ATA_OK) << ata_last_error();
  EXPECT_EQ(values_of<float>(there.get()), values);
  ASSERT_EQ(ata_tensor_copy_into(again.get(), there.get()), ATA_OK) << ata_last_error();
  EXPECT_EQ(values_of<float>(there.get()), expected);
  ASSERT_EQ(ata_tensor_copy_into(there.get(), there.get()), ATA_OK) << ata_last_error();
  ASSERT_EQ(ata_tensor_copy_into(there.get(), host.get()), ATA_OK) << ata_last_error();
  EXPECT_EQ(values, expected);
  // Memory of one lender may overlap.
  const auto first = wrap(values.data(), 16, ATA_F32, {4});
  const auto second = wrap(values.data() + 1, 16, ATA_F32, {4});
  ASSERT_EQ(ata_tensor_copy_into(first.get(), second.get()), ATA_OK);
  EXPECT_EQ(values, (std::vector<float>{1, 1, 2, 3, 4, 6}));
  if (const char* third = third_device()) {
    const auto elsewhere = copied(there.get(), third);
    EXPECT_EQ(values_of<float>(elsewhere.get()), expected);
    ASSERT_EQ(ata_tensor_copy_into(host.get(), elsewhere.get()), ATA_OK);
    ASSERT_EQ(ata_tensor_copy_into(elsewhere.get(), there.get()), ATA_OK);
    EXPECT_EQ(values_of<float>(there.get()), values);
  }
  const auto empty = wrap(nullptr, 0, ATA_F32, {0, 2});
  EXPECT_EQ(info_of(on_device(empty).get()).size, 0u);
  EXPECT_EQ(info_of(copied(on_device(empty).get(), nullptr).get()).size, 0u);
}

TEST(CApiTensor, RefusesCopiesThatCannotBe) {
  float values[6] = {};
  const auto host = wrap(values, 24, ATA_F32, {6});
  const auto other_shape = wrap(values, 24, ATA_F32, {2, 3});
  const auto other_type = wrap(values, 24, ATA_I32, {6});
  EXPECT_EQ(ata_tensor_copy_into(other_shape.get(), host.get()), ATA_INVALID_ARGUMENT);
  ata::expect_mentions(ata_last_error(), {"[2, 3]", "[6]"});
  EXPECT_EQ(ata_tensor_copy_into(on_device(other_type).get(), host.get()), ATA_INVALID_ARGUMENT);
  ata::expect_mentions(ata_last_error(), {"i32", "f32"});
  ata_tensor_info info = info_of(host.get());
  info.read_only = 1;
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_wrap(&info, nullptr, nullptr, &tensor), ATA_OK);
  const Handle<ata_tensor> constant(tensor);
  EXPECT_EQ(ata_tensor_copy_into(host.get(), constant.get()), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "read-only");
  tensor = nullptr;
  EXPECT_EQ(ata_tensor_copy(host.get(), "abacus", &tensor), ATA_DEVICE_UNAVAILABLE);
  EXPECT_MENTIONS(ata_last_error(), "abacus");
  EXPECT_EQ(ata_tensor_copy(nullptr, "cpu", &tensor), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_copy(host.get(), "cpu", nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_copy_into(nullptr, host.get()), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_copy_into(host.get(), nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(tensor, nullptr);
}

// What works on the host alone says so of a device's tensor, and reads none of it.
TEST(CApiTensor, WhatNeedsTheHostsMemoryNamesTheRemedy) {
  if (runs_on_cpu()) return;  // Whose memory is the host's.
  std::vector<float> values(64 * 4, 1.0f);
  const auto samples = on_device(wrap(values.data(), 1024, ATA_F32, {64, 4}));
  const auto features = on_device(wrap(values.data(), 1024, ATA_F32, {1, 2, 32, 4}));
  const auto paths = on_device(wrap(values.data(), 256, ATA_I32, {1, 2, 32}));
  const auto pixels = on_device(wrap(values.data(), 48, ATA_U8, {4, 4, 3}));
  const auto refused = [](ata_status expected, ata_status status, const char* name) {
    EXPECT_EQ(status, expected);
    ata::expect_mentions(ata_last_error(), {name, device_name(), "'cpu' with ata_tensor_copy()"});
  };
  double before = 0, after = 0;
  refused(ATA_INVALID_ARGUMENT,
          ata_mutual_information_estimate(samples.get(), samples.get(), nullptr, &before), "x is");
  refused(ATA_INVALID_ARGUMENT,
          ata_temporal_information_estimate(features.get(), paths.get(), nullptr, &before, &after),
          "is in the memory");
  const ata::Scratch scratch;
  refused(ATA_INVALID_ARGUMENT, ata_image_write(scratch.path("a.png").c_str(), pixels.get()),
          "image");
  ata_tensor_file* file = nullptr;
  ASSERT_EQ(ata_tensor_file_create(&file), ATA_OK);
  refused(ATA_INVALID_ARGUMENT, ata_tensor_file_set(file, "a", samples.get()), "tensor");
  EXPECT_EQ(ata_tensor_file_count(file), 0u);
  ata_tensor_file_release(file);
  // DLPack knows GPUs, and none of the tests' devices.
  if (std::string(device_name()).starts_with("cuda")) return;
  DLManagedTensorVersioned* lent = nullptr;
  refused(ATA_UNSUPPORTED, ata_tensor_to_dlpack(samples.get(), &lent), "DLPack");
  EXPECT_EQ(lent, nullptr);
}

TEST(CApiTensor, OnlyRowMajorStridesAreTaken) {
  float values[24] = {};
  const int64_t shape[] = {2, 3, 1, 4};
  const auto try_strides = [&](std::initializer_list<int64_t> strides) {
    ata_tensor_info info = describe(values, sizeof(values), ATA_F32, shape);
    info.strides = strides.begin();
    ata_tensor* tensor = nullptr;
    const ata_status status = ata_tensor_wrap(&info, nullptr, nullptr, &tensor);
    ata_tensor_release(tensor);
    return status;
  };
  EXPECT_EQ(try_strides({12, 4, 4, 1}), ATA_OK);
  // Along an axis of one index the stride means nothing.
  EXPECT_EQ(try_strides({12, 4, -7, 1}), ATA_OK);
  EXPECT_EQ(try_strides({4, 8, 4, 1}), ATA_UNSUPPORTED);
  EXPECT_NE(std::string(ata_last_error()).find("stride 4 on axis 0"), std::string::npos)
      << ata_last_error();
  EXPECT_EQ(try_strides({0, 0, 0, 0}), ATA_UNSUPPORTED);
  EXPECT_EQ(try_strides({12, 4, 4, -1}), ATA_UNSUPPORTED);
}

TEST(CApiTensor, DescribesStridesDeviceAndWhatMayBeWritten) {
  float values[6] = {};
  ata_tensor_info given = describe(values, sizeof(values), ATA_F32, std::array<int64_t, 2>{2, 3});
  given.device = "cpu";
  given.read_only = 1;
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_wrap(&given, nullptr, nullptr, &tensor), ATA_OK) << ata_last_error();
  const ata_tensor_info info = info_of(tensor);
  EXPECT_EQ(info.data, values);
  EXPECT_EQ(info.strides[0], 3);
  EXPECT_EQ(info.strides[1], 1);
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_EQ(info.read_only, 1);
  EXPECT_EQ(info.reserved, 0);
  // What it reports can be wrapped again.
  ata_tensor* again = nullptr;
  ASSERT_EQ(ata_tensor_wrap(&info, nullptr, nullptr, &again), ATA_OK) << ata_last_error();
  ata_tensor_release(tensor);
  EXPECT_EQ(info_of(again).data, values);
  ata_tensor_release(again);
}

TEST(CApiTensor, MemoryGoesBackOnceWhenNothingRefersToItAnyMore) {
  float values[3] = {1, 2, 3};
  int released = 0;
  const auto count = [](void* user_data) { ++*static_cast<int*>(user_data); };
  const ata_tensor_info info = describe(values, sizeof(values), ATA_F32, std::array<int64_t, 1>{3});
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_wrap(&info, count, &released, &tensor), ATA_OK);
  ata_tensor_file* file = nullptr;
  ASSERT_EQ(ata_tensor_file_create(&file), ATA_OK);
  ASSERT_EQ(ata_tensor_file_set(file, "a", tensor), ATA_OK);
  ata_tensor_release(tensor);
  EXPECT_EQ(released, 0) << "the file still refers to the memory";
  ata_tensor_file_release(file);
  EXPECT_EQ(released, 1);

  // Of an empty tensor, too, and not before it is released.
  const ata_tensor_info empty = describe(nullptr, 0, ATA_F32, std::array<int64_t, 1>{0});
  ASSERT_EQ(ata_tensor_wrap(&empty, count, &released, &tensor), ATA_OK) << ata_last_error();
  EXPECT_EQ(released, 1);
  ata_tensor_release(tensor);
  EXPECT_EQ(released, 2);
}

TEST(CApiTensor, ReadOnlyTensorsStaySoInAFile) {
  float values[3] = {1, 2, 3};
  ata_tensor_info info = describe(values, sizeof(values), ATA_F32, std::array<int64_t, 1>{3});
  ata_tensor_file* file = nullptr;
  ASSERT_EQ(ata_tensor_file_create(&file), ATA_OK);
  for (const int32_t read_only : {1, 0, 1}) {
    info.read_only = read_only;
    ata_tensor* tensor = nullptr;
    ASSERT_EQ(ata_tensor_wrap(&info, nullptr, nullptr, &tensor), ATA_OK) << ata_last_error();
    ASSERT_EQ(ata_tensor_file_set(file, "a", tensor), ATA_OK);
    ata_tensor_release(tensor);
    ASSERT_EQ(ata_tensor_file_get(file, "a", &tensor), ATA_OK);
    EXPECT_EQ(info_of(tensor).read_only, read_only);
    EXPECT_EQ(info_of(tensor).data, values);
    ata_tensor_release(tensor);
  }
  ata_tensor_file_release(file);
}

TEST(CApiTensor, FileKeepsTensorsAndMetadata) {
  const ata::Scratch scratch;
  const std::string path = scratch.path("tensors.safetensors");
  float values[] = {1, 2, 3};
  ata_tensor* tensor = wrap(values, sizeof(values), ATA_F32, {3}).release();
  ata_tensor_file* file = nullptr;
  ASSERT_EQ(ata_tensor_file_create(&file), ATA_OK);
  ASSERT_EQ(ata_tensor_file_set(file, "a", tensor), ATA_OK);
  ASSERT_EQ(ata_tensor_file_set_metadata(file, "note", "gr\xC3\xBC\xC3\x9F"), ATA_OK);
  ASSERT_EQ(ata_tensor_file_save(file, path.c_str()), ATA_OK) << ata_last_error();
  ata_tensor_file_release(file);
  ata_tensor_release(tensor);

  ASSERT_EQ(ata_tensor_file_open(path.c_str(), &file), ATA_OK) << ata_last_error();
  ASSERT_EQ(ata_tensor_file_count(file), 1u);
  const char* text = nullptr;
  ASSERT_EQ(ata_tensor_file_get_name(file, 0, &text), ATA_OK);
  EXPECT_STREQ(text, "a");
  EXPECT_EQ(ata_tensor_file_get_name(file, 1, &text), ATA_INVALID_ARGUMENT);
  ASSERT_EQ(ata_tensor_file_get_metadata(file, "note", &text), ATA_OK);
  EXPECT_STREQ(text, "gr\xC3\xBC\xC3\x9F");
  ASSERT_EQ(ata_tensor_file_get_metadata(file, "none", &text), ATA_OK);
  EXPECT_EQ(text, nullptr);
  ASSERT_EQ(ata_tensor_file_get(file, "a", &tensor), ATA_OK);
  const ata_tensor_info info = info_of(tensor);
  EXPECT_EQ(static_cast<const float*>(info.data)[2], 3.0f);
  ata_tensor_release(tensor);
  EXPECT_EQ(ata_tensor_file_get(file, "b", &tensor), ATA_UNKNOWN_NAME);
  ata_tensor_file_release(file);
}

}  // namespace
