// What holds for every function of ata.h: statuses, messages, untouched outputs.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "ata/ata.h"
#include "handles.h"
#include "support/mentions.h"
#include "support/test_data.h"

namespace {

ata_tensor* matrix(std::vector<float>& values, int64_t rows, int64_t columns) {
  return wrap(values.data(), values.size() * sizeof(float), ATA_F32, {rows, columns}).release();
}

TEST(CApi, NullArgumentsAreNamed) {
  EXPECT_EQ(ata_model_load(nullptr, nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "path");
  EXPECT_EQ(ata_tensor_get_info(nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_session_create(nullptr, nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_video_open("x", nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_align(nullptr, nullptr, nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_alignment_options_init(nullptr, sizeof(ata_alignment_options)),
            ATA_INVALID_ARGUMENT);
}

TEST(CApi, ReleasesAcceptNull) {
  ata_tensor_release(nullptr);
  ata_tensor_file_release(nullptr);
  ata_model_release(nullptr);
  ata_session_release(nullptr);
  ata_trainer_release(nullptr);
  ata_video_release(nullptr);
  ata_video_writer_release(nullptr);
  ata_cancellation_release(nullptr);
  ata_cancellation_cancel(nullptr);
  EXPECT_EQ(ata_tensor_file_count(nullptr), 0u);
  EXPECT_EQ(ata_model_parameter_count(nullptr), 0u);
}

TEST(CApi, FailureLeavesOutputsUntouched) {
  ata_model* model = reinterpret_cast<ata_model*>(this);
  EXPECT_EQ(ata_model_load("no/such/model.safetensors", nullptr, &model), ATA_NOT_FOUND);
  EXPECT_EQ(model, reinterpret_cast<ata_model*>(this));
  EXPECT_MENTIONS(ata_last_error(), "no/such/model.safetensors");
}

TEST(CApi, MessagesBelongToTheirThread) {
  EXPECT_EQ(ata_model_load("first", nullptr, nullptr), ATA_INVALID_ARGUMENT);
  const std::string here = ata_last_error();
  std::string there = "unset";
  std::thread([&] { there = ata_last_error(); }).join();
  EXPECT_EQ(there, "");
  EXPECT_EQ(here, ata_last_error());
}

TEST(CApi, VersionAndLayoutAreReported) {
  EXPECT_EQ(ata_abi_version(), static_cast<uint32_t>(ATA_ABI_VERSION));
  EXPECT_MENTIONS(ata_version(), ".");
  size_t count = 0;
  const ata_abi_entry* entries = ata_abi_layout(&count);
  size_t structs = 0;
  for (size_t i = 0; i < count; ++i) structs += entries[i].field_name == nullptr;
  EXPECT_GE(structs, 10u);
}

TEST(CApi, ThreadCountIsCheckedAndRead) {
  EXPECT_EQ(ata_thread_set_count(-1), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_thread_set_count(3), ATA_OK);
  EXPECT_EQ(ata_thread_count(), 3);
  EXPECT_EQ(ata_thread_set_count(0), ATA_OK);
  EXPECT_GE(ata_thread_count(), 1);
}

TEST(CApi, DiagnosisFitsTheBufferOrIsOnlyMeasured) {
  size_t length = 0;
  ASSERT_EQ(ata_runtime_diagnose(nullptr, 0, &length), ATA_OK);
  ASSERT_GT(length, 0u);
  std::string buffer(length + 1, '#');
  char small[4] = {'x', 'x', 'x', 'x'};
  ASSERT_EQ(ata_runtime_diagnose(small, sizeof(small), &length), ATA_OK);
  EXPECT_EQ(small[0], 'x');
  // Memory figures may change their number of digits between the calls.
  buffer.resize(length + 64);
  ASSERT_EQ(ata_runtime_diagnose(buffer.data(), buffer.size(), &length), ATA_OK);
  EXPECT_EQ(buffer[0], '{');
  EXPECT_MENTIONS(buffer, "\"devices\"");
  EXPECT_MENTIONS(buffer, "\"oneDNN\"");
}

TEST(CApi, AssignSolvesChecksAndNamesTheInfeasible) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {1, 2, 3, 5};
  ata_tensor* tensor = matrix(values, 2, 2);
  ata_tensor* matching = nullptr;
  double total = 0;
  ASSERT_EQ(ata_assign(tensor, nullptr, &matching, &total, 1), ATA_OK) << ata_last_error();
  const ata_tensor_info info = info_of(matching);
  ASSERT_EQ(info.dtype, ATA_I32);
  const int32_t* columns = static_cast<const int32_t*>(info.data);
  EXPECT_EQ(columns[0], 0);
  EXPECT_EQ(columns[1], 1);
  EXPECT_EQ(total, 6.0);
  ata_tensor_release(matching);

  matching = nullptr;
  total = -7;
  values = {-inf, -inf, 3, 5};
  EXPECT_EQ(ata_assign(tensor, nullptr, &matching, &total, 1), ATA_INFEASIBLE);
  values = {std::nanf(""), 2, 3, 5};
  EXPECT_EQ(ata_assign(tensor, nullptr, &matching, &total, 1), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_assign(tensor, nullptr, &matching, &total, 0), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(matching, nullptr);
  EXPECT_EQ(total, -7);
  ata_tensor_release(tensor);
}

TEST(CApi, UnknownDeviceAndAbsentCudaAreErrors) {
  ata_model_options options;
  ASSERT_EQ(ata_model_options_init(&options, sizeof(options)), ATA_OK);
  ata_import_options importing;
  ASSERT_EQ(ata_import_options_init(&importing, sizeof(importing)), ATA_OK);
  ata_model_config config;
  ASSERT_EQ(ata_model_config_init("vit-tiny", &config, sizeof(config)), ATA_OK);
  ata_model* model = nullptr;
  const std::string path = ata::test_data("tiny-ata.safetensors");
  for (const char* absent : {"tpu", "", "cpu:0", "cuda:999"}) {  // nobody has so many GPUs
    options.device = importing.device = absent;
    const auto refused = [&](ata_status status) {
      EXPECT_EQ(status, ATA_DEVICE_UNAVAILABLE);
      ata::expect_mentions(ata_last_error(), {"'cpu'"});
    };
    refused(ata_model_load(path.c_str(), &options, &model));
    refused(ata_model_import(path.c_str(), &importing, &model));
    refused(ata_model_create(&config, 1, absent, &model));
  }
  EXPECT_EQ(model, nullptr);
}

TEST(CApi, DevicesAreListedWithWhyOneCannotBeUsed) {
  const size_t count = ata_device_count();
  ASSERT_GE(count, 2u);
  size_t length = 0;
  std::string json(1 << 20, '\0');
  ASSERT_EQ(ata_runtime_diagnose(json.data(), json.size(), &length), ATA_OK);
  const int64_t shape[] = {1 << 20};
  for (size_t i = 0; i < count; ++i) {
    ata_device_info info = {};
    info.struct_size = sizeof(info);
    ASSERT_EQ(ata_device_get_info(i, &info), ATA_OK) << ata_last_error();
    SCOPED_TRACE(info.name);
    EXPECT_MENTIONS(json, '"' + std::string(info.name) + '"');
    ata_tensor* tensor = nullptr;
    const ata_status status = ata_tensor_create(ATA_F32, shape, 1, info.name, &tensor);
    if (info.available == 0) {
      EXPECT_EQ(status, ATA_DEVICE_UNAVAILABLE);
      EXPECT_STREQ(info.reason, ata_last_error());
      EXPECT_EQ(info.description, nullptr);
      EXPECT_EQ(info.total_bytes, -1);
      continue;
    }
    ASSERT_EQ(status, ATA_OK) << ata_last_error();
    EXPECT_EQ(info.reason, nullptr);
    EXPECT_GT(std::string(info.description).size(), 3u);
    EXPECT_MENTIONS(json, info.description);
    EXPECT_GT(info.total_bytes, int64_t{1} << 28);
    EXPECT_GT(info.free_bytes, 0);
    EXPECT_LE(info.free_bytes, info.total_bytes);
    ata_device_info with = info;
    ASSERT_EQ(ata_device_get_info(i, &with), ATA_OK);
    EXPECT_EQ(with.live_bytes, info.live_bytes + 4 * shape[0]);
    EXPECT_GE(with.peak_bytes, with.live_bytes);
    ata_tensor_release(tensor);
  }
  ata_device_info first = {};
  first.struct_size = sizeof(first);
  ASSERT_EQ(ata_device_get_info(0, &first), ATA_OK);
  EXPECT_STREQ(first.name, "cpu");
  EXPECT_EQ(first.driver, nullptr);
  EXPECT_EQ(ata_device_get_info(count, &first), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "index is");
  EXPECT_EQ(ata_device_get_info(0, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_STREQ(first.name, "cpu");
}

TEST(CApi, MessagesAreOneLineOfPrintableText) {
  ata_tensor_file* file = nullptr;
  ASSERT_EQ(ata_tensor_file_create(&file), ATA_OK);
  ata_tensor* tensor = nullptr;
  EXPECT_EQ(ata_tensor_file_get(file, "a\n\x1b[31m\xff", &tensor), ATA_UNKNOWN_NAME);
  EXPECT_MENTIONS(ata_last_error(), "'a\\n\\x1b[31m\\xff'");
  // However long a name is, there is room for what is wrong with it.
  const std::string name(100'000, 'n');
  EXPECT_EQ(ata_tensor_file_get(file, name.c_str(), &tensor), ATA_UNKNOWN_NAME);
  EXPECT_MENTIONS(ata_last_error(), "has no tensor 'nnn");
  EXPECT_LT(std::string(ata_last_error()).size(), 400u);
  ata_tensor_file_release(file);
  // What does not fit is cut off between characters.
  const std::string path = "/no/such/" + std::string(20'000, '\x1b');
  EXPECT_NE(ata_tensor_file_open(path.c_str(), &file), ATA_OK);
  const std::string message = ata_last_error();
  EXPECT_LT(message.size(), 8192u);
  EXPECT_EQ(message.substr(message.size() - 7), "\\x1b...");
}

}  // namespace
