#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <limits>

#if !defined(_WIN32)
#include <sys/resource.h>
#endif

#include "model/safetensors.h"
#include "support/scratch.h"
#include "training.h"

namespace ata {
namespace {

class TrainerStateTest : public ModelFileTest, OneThread {};
class ResumedTraining : public testing::TestWithParam<const char*>, OneThread {};

TEST_P(ResumedTraining, ResumesBitForBit) {
  const Fixture fixture(GetParam());
  const Scratch scratch;
  const std::string path = scratch.path("model.safetensors");
  const auto step = [&](Trainer& trainer) {
    trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 0.5f);
    trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 0.5f);
    trainer.update(1e-3);
  };
  const auto straight = model_of(fixture);
  Trainer first(straight, rich_options());
  for (int i = 0; i < 4; ++i) step(first);
  // In the middle of an update's batches.
  first.accumulate(fixture.get("clip"), fixture.get("labels"), 0.5f);
  first.save(path, "the caller's");
  first.accumulate(fixture.get("clip"), fixture.get("labels"), 0.5f);
  first.update(1e-3);
  for (int i = 0; i < 10; ++i) step(first);

  const auto resumed = std::make_shared<Model>(
      fixture.config,
      [&] {
        ParameterSet other;
        for (size_t i = 0; i < fixture.parameters.count(); ++i) {
          other.add(fixture.parameters.name(i),
                    Tensor::zeros(fixture.parameters.tensor(i).shape(), DType::kF32));
        }
        return other;
      }(),
      test_device());
  Trainer second(resumed, rich_options());
  second.load(path);
  EXPECT_EQ(*TensorFile(path).metadata("state"), "the caller's");
  EXPECT_EQ(second.update_count(), 4);
  second.accumulate(fixture.get("clip"), fixture.get("labels"), 0.5f);
  second.update(1e-3);
  for (int i = 0; i < 10; ++i) step(second);
  EXPECT_EQ(second.update_count(), first.update_count());
  EXPECT_TRUE(same_weights(*straight, *resumed));
  EXPECT_TRUE(same_weights(*first.averaged_model(), *second.averaged_model()));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ResumedTraining, testing::ValuesIn(kFixtures), name_of);

TEST_F(TrainerStateTest, LoadRefusesWhatDiffersAndChangesNothing) {
  const Fixture fixture("tiny-ata");
  const auto saved_model = model_of(fixture);
  Trainer saved(saved_model, TrainOptions());
  saved.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
  saved.update(1e-2);
  saved.save(path(), nullptr);

  const auto refuse = [&](const TrainOptions& options, const std::string& file, ata_status status,
                          const char* mention, const char* fixture_name = "tiny-ata") {
    const Fixture target(fixture_name);
    const auto model = model_of(target);
    Trainer trainer(model, options);
    EXPECT_MENTIONS(error_of(status, [&] { trainer.load(file); }), mention);
    EXPECT_TRUE(same_weights(*model, *model_of(target)));
    EXPECT_EQ(trainer.update_count(), 0);
  };
  TrainOptions other;
  other.dropout = 0.5f;
  refuse(other, path(), ATA_INVALID_ARGUMENT, "options 'dropout'");
  refuse(TrainOptions(), path(), ATA_INVALID_ARGUMENT, "config '", "tiny-divided");
  refuse(TrainOptions(), path("none.safetensors"), ATA_NOT_FOUND, "none.safetensors");
  refuse(TrainOptions(), checkpoint(fixture), ATA_BAD_MODEL, "not a training checkpoint");

  saved.save(path(), nullptr);
  const auto with_change = [&](const auto& change) {
    const TensorFile source(path());
    TensorFile file;
    for (size_t i = 0; i < source.count(); ++i) {
      file.set(source.name(i), source.get(source.name(i)));
    }
    for (const char* key : {"format", "config", "options", "updates", "batches"}) {
      file.set_metadata(key, *source.metadata(key));
    }
    change(file);
    file.save(path("changed.safetensors"));
    return path("changed.safetensors");
  };
  const auto bad = [&](const char* mention, const auto& change) {
    refuse(TrainOptions(), with_change(change), ATA_BAD_MODEL, mention);
  };
  bad("updates", [](TensorFile& f) { f.set_metadata("updates", "-1"); });
  bad("batches", [](TensorFile& f) { f.set_metadata("batches", "1e3"); });
  bad("format", [](TensorFile& f) { f.set_metadata("format", "ata-trainer-99"); });
  bad("config", [](TensorFile& f) { f.set_metadata("config", "[1"); });
  bad("head.bias", [](TensorFile& f) { f.set("moment1/head.bias", Tensor({3}, DType::kF32)); });
  bad("tensors", [](TensorFile& f) { f.set("stray", Tensor::zeros({3}, DType::kF32)); });
  bad("head.bias", [](TensorFile& f) {
    Tensor tensor = f.get("param/head.bias").clone();
    tensor.data<float>()[2] = std::numeric_limits<float>::quiet_NaN();
    f.set("param/head.bias", tensor);
  });
  // Truncated.
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) - 5);
  refuse(TrainOptions(), path(), ATA_BAD_MODEL, "model.safetensors");
}

TEST_F(TrainerStateTest, AFailedSaveKeepsTheOldFile) {
  const Fixture fixture("tiny-joint");
  const auto model = model_of(fixture);
  Trainer trainer(model, TrainOptions());
  trainer.save(path(), "first");
  const auto before = std::filesystem::file_size(path());
  trainer.accumulate(fixture.get("clip"), fixture.get("labels"), 1.0f);
  trainer.update(1e-3);
#if !defined(_WIN32)
  // As on a full disk, a write fails halfway.
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  rlimit small = limit;
  small.rlim_cur = before / 2;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  error_of(ATA_IO_ERROR, [&] { trainer.save(path(), "second"); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  const std::filesystem::path folder = std::filesystem::path(path()).parent_path();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
#endif
  error_of(ATA_IO_ERROR, [&] { trainer.save(path("no/such/folder/file"), nullptr); });
  EXPECT_EQ(std::filesystem::file_size(path()), before);
  EXPECT_EQ(*TensorFile(path()).metadata("state"), "first");
}

}  // namespace
}  // namespace ata
