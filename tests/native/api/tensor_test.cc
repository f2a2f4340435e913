#include <gtest/gtest.h>

#include <string>

#include "ata/ata.h"
#include "support/scratch.h"

namespace {

TEST(CApiTensor, CreatesZeroedMemoryAndDescribesIt) {
  const int64_t shape[] = {2, 3};
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_create(ATA_I64, shape, 2, &tensor), ATA_OK);
  ata_tensor_info info;
  ASSERT_EQ(ata_tensor_get_info(tensor, &info), ATA_OK);
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
  EXPECT_EQ(ata_tensor_wrap(values, 4, ATA_F32, two, 1, &tensor), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_wrap(nullptr, 8, ATA_F32, two, 1, &tensor), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_tensor_wrap(reinterpret_cast<char*>(values) + 1, 8, ATA_F32, two, 1, &tensor),
            ATA_INVALID_ARGUMENT);
  EXPECT_EQ(tensor, nullptr);
}

TEST(CApiTensor, FileKeepsTensorsAndMetadata) {
  const ata::Scratch scratch;
  const std::string path = scratch.path("tensors.safetensors");
  float values[] = {1, 2, 3};
  const int64_t shape[] = {3};
  ata_tensor* tensor = nullptr;
  ASSERT_EQ(ata_tensor_wrap(values, sizeof(values), ATA_F32, shape, 1, &tensor), ATA_OK);
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
  ASSERT_EQ(ata_tensor_file_name(file, 0, &text), ATA_OK);
  EXPECT_STREQ(text, "a");
  EXPECT_EQ(ata_tensor_file_name(file, 1, &text), ATA_INVALID_ARGUMENT);
  ASSERT_EQ(ata_tensor_file_get_metadata(file, "note", &text), ATA_OK);
  EXPECT_STREQ(text, "gr\xC3\xBC\xC3\x9F");
  ASSERT_EQ(ata_tensor_file_get_metadata(file, "none", &text), ATA_OK);
  EXPECT_EQ(text, nullptr);
  ASSERT_EQ(ata_tensor_file_get(file, "a", &tensor), ATA_OK);
  ata_tensor_info info;
  ASSERT_EQ(ata_tensor_get_info(tensor, &info), ATA_OK);
  EXPECT_EQ(static_cast<const float*>(info.data)[2], 3.0f);
  ata_tensor_release(tensor);
  EXPECT_EQ(ata_tensor_file_get(file, "b", &tensor), ATA_UNKNOWN_NAME);
  ata_tensor_file_release(file);
}

}  // namespace
