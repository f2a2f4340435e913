#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "device.h"
#include "support/scratch.h"

namespace {

class CApiTraining : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(ata_thread_set_count(1), ATA_OK);
    const int64_t clip_shape[] = {2, 3, 3, 32, 32}, label_shape[] = {2};
    clips_ = tensor(ATA_F32, clip_shape, 5);
    labels_ = tensor(ATA_I64, label_shape, 1);
    const ata_tensor_info info = info_of(clips_.get());
    for (size_t i = 0; i < info.size / sizeof(float); ++i) {
      static_cast<float*>(info.data)[i] = std::sin(static_cast<float>(i) * 0.37f);
    }
    static_cast<int64_t*>(info_of(labels_.get()).data)[1] = 3;
  }
  void TearDown() override { ata_thread_set_count(0); }

  static Handle<ata_tensor> tensor(ata_dtype dtype, const int64_t* shape, int32_t rank) {
    ata_tensor* result = nullptr;
    EXPECT_EQ(ata_tensor_create(dtype, shape, rank, nullptr, &result), ATA_OK);
    return Handle<ata_tensor>(result);
  }

  static Handle<ata_model> model(uint64_t seed) {
    const ata_model_config config = small_config();
    ata_model* result = nullptr;
    EXPECT_EQ(ata_model_create(&config, seed, device_name(), &result), ATA_OK) << ata_last_error();
    return Handle<ata_model>(result);
  }

  static Handle<ata_trainer> trainer(ata_model* of, const ata_train_options* options = nullptr) {
    ata_trainer* result = nullptr;
    EXPECT_EQ(ata_trainer_create(of, options, &result), ATA_OK) << ata_last_error();
    return Handle<ata_trainer>(result);
  }

  float step(ata_trainer* trainer) const {
    float loss = -1;
    double norm = -1;
    EXPECT_EQ(ata_trainer_accumulate(trainer, clips_.get(), labels_.get(), 1.0f, nullptr, nullptr,
                                     0, &loss),
              ATA_OK)
        << ata_last_error();
    EXPECT_EQ(ata_trainer_update(trainer, 1e-2, &norm), ATA_OK) << ata_last_error();
    EXPECT_GT(norm, 0);
    return loss;
  }

  std::vector<float> logits_of(const ata_model* model) const {
    ata_session* session = nullptr;
    EXPECT_EQ(ata_session_create(model, nullptr, &session), ATA_OK);
    const Handle<ata_session> owner(session);
    std::vector<float> logits(10);
    EXPECT_EQ(ata_session_forward(session, clips_.get(), nullptr, logits.data(), 10), ATA_OK);
    return logits;
  }

  Handle<ata_tensor> clips_, labels_;
};

TEST_F(CApiTraining, LearnsSavesAndContinues) {
  const ata::Scratch scratch;
  const std::string path = scratch.path("model.safetensors");
  auto first_model = model(1);
  auto first = trainer(first_model.get());
  const float before = step(first.get());
  for (int i = 0; i < 4; ++i) step(first.get());
  ASSERT_EQ(ata_trainer_save(first.get(), path.c_str(), "{\"epoch\":1}"), ATA_OK);
  for (int i = 0; i < 5; ++i) step(first.get());
  EXPECT_LT(step(first.get()), 0.5f * before);

  auto second_model = model(2);
  auto second = trainer(second_model.get());
  ASSERT_EQ(ata_trainer_load(second.get(), path.c_str()), ATA_OK) << ata_last_error();
  EXPECT_EQ(ata_trainer_update_count(second.get()), 5);
  for (int i = 0; i < 6; ++i) step(second.get());
  EXPECT_EQ(ata_trainer_update_count(second.get()), ata_trainer_update_count(first.get()));
  EXPECT_EQ(logits_of(first_model.get()), logits_of(second_model.get()));

  ata_model* averaged = nullptr;
  ASSERT_EQ(ata_trainer_get_averaged_model(first.get(), &averaged), ATA_OK);
  const Handle<ata_model> owner(averaged);
  // The trainer keeps its model alive.
  first_model.reset();
  step(first.get());
  EXPECT_EQ(logits_of(averaged), logits_of(second_model.get()));
}

TEST_F(CApiTraining, AccumulateReturnsLogitsAndLeavesThemOnFailure) {
  auto owner = model(1);
  auto handle = trainer(owner.get());
  const std::vector<float> expected = logits_of(owner.get());
  std::vector<float> logits(10, 42.0f);
  float loss = 7;
  const auto accumulate = [&](size_t count, const ata_cancellation* flag) {
    return ata_trainer_accumulate(handle.get(), clips_.get(), labels_.get(), 1.0f, flag,
                                  logits.data(), count, &loss);
  };
  EXPECT_EQ(accumulate(9, nullptr), ATA_INVALID_ARGUMENT);
  ata_cancellation* flag = nullptr;
  ASSERT_EQ(ata_cancellation_create(&flag), ATA_OK);
  const Handle<ata_cancellation> flag_owner(flag);
  ata_cancellation_cancel(flag);
  EXPECT_EQ(accumulate(10, flag), ATA_CANCELLED);
  EXPECT_EQ(loss, 7);
  EXPECT_EQ(logits[0], 42.0f);
  ASSERT_EQ(accumulate(10, nullptr), ATA_OK) << ata_last_error();
  for (size_t i = 0; i < 10; ++i) EXPECT_NEAR(logits[i], expected[i], 1e-4f);
}

TEST_F(CApiTraining, RunsOnTheModelsDevice) {
  auto first = model(1), second = model(1);
  auto from_host = trainer(first.get()), from_device = trainer(second.get());
  std::vector<float> losses;
  for (int i = 0; i < 3; ++i) losses.push_back(step(from_host.get()));
  clips_ = on_device(clips_);
  labels_ = on_device(labels_);
  for (const float loss : losses) EXPECT_EQ(step(from_device.get()), loss);
  ata_model* averaged = nullptr;
  ASSERT_EQ(ata_trainer_get_averaged_model(from_device.get(), &averaged), ATA_OK);
  const Handle<ata_model> owner(averaged);
  const char* device = nullptr;
  ASSERT_EQ(ata_model_get_device(averaged, &device), ATA_OK);
  EXPECT_STREQ(device, device_name());
  if (third_device() == nullptr) return;
  float loss = 0;
  const auto clips = copied(clips_.get(), third_device());
  expect_third_device_refused(ata_trainer_accumulate(from_device.get(), clips.get(), labels_.get(),
                                                     1.0f, nullptr, nullptr, 0, &loss),
                              "clips");
  const auto targets = copied(labels_.get(), third_device());
  expect_third_device_refused(ata_trainer_accumulate(from_device.get(), clips_.get(), targets.get(),
                                                     1.0f, nullptr, nullptr, 0, &loss),
                              "targets");
}

TEST_F(CApiTraining, OptionsAreChecked) {
  auto owner = model(1);
  ata_train_options options;
  ASSERT_EQ(ata_train_options_init(&options, sizeof(options)), ATA_OK);
  EXPECT_EQ(options.struct_size, sizeof(options));
  EXPECT_FLOAT_EQ(options.beta2, 0.999f);
  EXPECT_FLOAT_EQ(options.clip_norm, 1.0f);
  const auto reject = [&](const ata_train_options& changed, const char* mention) {
    auto* untouched = reinterpret_cast<ata_trainer*>(&options);
    ata_trainer* handle = untouched;
    EXPECT_EQ(ata_trainer_create(owner.get(), &changed, &handle), ATA_INVALID_ARGUMENT);
    EXPECT_EQ(handle, untouched);
    EXPECT_MENTIONS(ata_last_error(), mention);
  };
  ata_train_options changed = options;
  changed.struct_size = 8;
  reject(changed, "struct_size");
  changed = options;
  changed.dropout = 1.5f;
  reject(changed, "dropout");
  changed = options;
  changed.frozen = "blokcs.*";
  reject(changed, "blokcs.*");
  changed = options;
  changed.optimizer = static_cast<ata_optimizer>(9);
  reject(changed, "optimizer");
}

TEST_F(CApiTraining, NullsAreReportedByName) {
  auto owner = model(1);
  auto handle = trainer(owner.get());
  float loss = 0;
  EXPECT_EQ(ata_train_options_init(nullptr, sizeof(ata_train_options)), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_trainer_create(nullptr, nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_trainer_create(owner.get(), nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_trainer_accumulate(handle.get(), nullptr, labels_.get(), 1.0f, nullptr, nullptr, 0,
                                   &loss),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "clips");
  EXPECT_EQ(ata_trainer_update(nullptr, 0.1, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_trainer_update(handle.get(), 0.1, nullptr), ATA_INVALID_STATE);
  EXPECT_EQ(ata_trainer_update_count(nullptr), 0);
  EXPECT_EQ(ata_trainer_get_averaged_model(handle.get(), nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_trainer_save(handle.get(), nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_trainer_load(handle.get(), "no-such-file"), ATA_NOT_FOUND);
}

}  // namespace
