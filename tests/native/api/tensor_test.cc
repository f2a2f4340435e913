#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "ata/ata.h"
#include "handles.h"
#include "support/scratch.h"

namespace {

TEST(CApiTensor, CreatesZeroedMemoryAndDescribesIt) {
  const int64_t shape[] = {2, 3};
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_create(ATA_I64, shape, 2, &tensor), ATA_OK);
  const ata_tensor_info info = info_of(tensor);
  EXPECT_EQ(info.dtype, ATA_I64);
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.shape[0], 2);
  EXPECT_EQ(info.shape[1], 3);
  EXPECT_EQ(info.shape[2], 0);
  EXPECT_EQ(info.size, 48u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(static_cast<const int64_t*>(info.data)[i], 0);
  ata_tensor_release(tensor);
}

TEST(CApiTensor, RefusesWhatCannotBe) {
  const int64_t negative[] = {-1};
  const int64_t two[] = {2};
  float values[2] = {};
  ata_tensor* tensor = nullptr;
  EXPECT_EQ(ata_tensor_create(ATA_F32, negative, 1, &tensor), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_create(static_cast<ata_dtype>(99), two, 1, &tensor), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_create(ATA_F32, two, 9, &tensor), ATA_INVALID_ARGUMENT);
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
