#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ata/ata.h"
#include "device.h"
#include "support/mentions.h"
#include "support/scratch.h"

namespace {

class CApiModel : public testing::Test {
 protected:
  void SetUp() override {
    const ata_model_config config = small_config();
    ata_model* model = nullptr;
    ASSERT_EQ(ata_model_create(&config, 1, device_name(), &model), ATA_OK) << ata_last_error();
    model_.reset(model);
    const int64_t shape[] = {1, 3, 3, 32, 32};
    ata_tensor* clip = nullptr;
    ASSERT_EQ(ata_tensor_create(ATA_F32, shape, 5, nullptr, &clip), ATA_OK);
    clip_.reset(clip);
    const ata_tensor_info info = info_of(clip);
    for (size_t i = 0; i < info.size / sizeof(float); ++i) {
      static_cast<float*>(info.data)[i] = std::sin(static_cast<float>(i) * 0.37f);
    }
  }

  static const char* device_of(const ata_model* model) {
    const char* device = nullptr;
    EXPECT_EQ(ata_model_get_device(model, &device), ATA_OK);
    return device;
  }

  Handle<ata_session> session() const {
    ata_session* session = nullptr;
    EXPECT_EQ(ata_session_create(model_.get(), nullptr, &session), ATA_OK) << ata_last_error();
    return Handle<ata_session>(session);
  }

  std::vector<float> forward(ata_session* session) const {
    std::vector<float> logits(5);
    EXPECT_EQ(ata_session_forward(session, clip_.get(), nullptr, logits.data(), 5), ATA_OK)
        << ata_last_error();
    return logits;
  }

  Handle<ata_model> model_;
  Handle<ata_tensor> clip_;
};

TEST_F(CApiModel, ConfigurationsTellTheirDimensions) {
  ata_model_config config = {};
  config.struct_size = sizeof(config);
  ASSERT_EQ(ata_model_get_config(model_.get(), &config), ATA_OK);
  EXPECT_STREQ(config.architecture, "vit");
  EXPECT_STREQ(config.backbone, R"({"patch_size":8,"dim":48,"depth":2,"heads":4,"mlp_ratio":4.0})");
  ata_model_dimensions dimensions = {};
  dimensions.struct_size = sizeof(dimensions);
  ASSERT_EQ(ata_model_config_get_dimensions(&config, &dimensions), ATA_OK) << ata_last_error();
  EXPECT_EQ(dimensions.dim, 48);
  EXPECT_EQ(dimensions.depth, 2);
  EXPECT_EQ(dimensions.grid, 4);
  EXPECT_EQ(dimensions.patches, 16);
  EXPECT_EQ(dimensions.parameter_count, ata_model_value_count(model_.get()));
  // ViT-Base's, by the usual size and by leaving the backbone's fields out.
  ASSERT_EQ(ata_model_config_init("vit-base", &config, sizeof(config)), ATA_OK);
  ASSERT_EQ(ata_model_config_get_dimensions(&config, &dimensions), ATA_OK);
  const int64_t count = dimensions.parameter_count;
  EXPECT_GT(count, 120'000'000);
  config.backbone = nullptr;
  ASSERT_EQ(ata_model_config_get_dimensions(&config, &dimensions), ATA_OK);
  EXPECT_EQ(dimensions.parameter_count, count);
}

TEST_F(CApiModel, WhatIsNoConfigurationIsNamed) {
  ata_model_config config;
  ASSERT_EQ(ata_model_config_init("vit-tiny", &config, sizeof(config)), ATA_OK);
  ata_model* made = nullptr;
  const auto refused = [&](const char* architecture, const char* backbone, const char* part) {
    config.architecture = architecture;
    config.backbone = backbone;
    EXPECT_EQ(ata_model_create(&config, 1, device_name(), &made), ATA_INVALID_ARGUMENT);
    EXPECT_MENTIONS(ata_last_error(), part);
    EXPECT_EQ(made, nullptr);
  };
  refused(nullptr, nullptr, "ata_model_config.architecture is NULL");
  refused("resnet", nullptr, "architecture is 'resnet'; valid are 'vit'");
  refused("vit", "", "ata_model_config.backbone: the model configuration is not valid JSON");
  refused("vit", "[]", "not a JSON object");
  refused("vit", "{}", "has no 'patch_size'");
  refused("vit", R"({"patch_size": 16, "dim": 64, "depth": 1, "heads": 1, "width": 3})", "'width'");
  refused("vit", R"({"patch_size": 0, "dim": 64, "depth": 1, "heads": 1})", "patch_size is 0");
  refused("vit", R"({"patch_size": 16, "dim": 64, "depth": 1e9, "heads": 1})", "'depth'");
}

TEST_F(CApiModel, HeadsAreReplacedInACopy) {
  const auto copy_of = [](const ata_model* model, int32_t classes, uint64_t seed) {
    ata_model* replaced = nullptr;
    EXPECT_EQ(ata_model_replace_head(model, classes, seed, &replaced), ATA_OK) << ata_last_error();
    return Handle<ata_model>(replaced);
  };
  const auto features_of = [&](const ata_model* model) {
    ata_session* session = nullptr;
    EXPECT_EQ(ata_session_create(model, nullptr, &session), ATA_OK);
    const Handle<ata_session> owner(session);
    std::vector<float> token(48);
    ata_session_outputs outputs;
    EXPECT_EQ(ata_session_outputs_init(&outputs, sizeof(outputs)), ATA_OK);
    outputs.class_token = token.data();
    outputs.class_token_count = token.size();
    EXPECT_EQ(ata_session_run(session, clip_.get(), nullptr, &outputs), ATA_OK) << ata_last_error();
    return token;
  };
  const char* const labels[] = {"a", "b", "c", "d", "e"};
  ASSERT_EQ(ata_model_set_labels(model_.get(), labels, 5), ATA_OK);
  const Handle<ata_model> three = copy_of(model_.get(), 3, 7);
  ata_model_config config = {};
  config.struct_size = sizeof(config);
  ASSERT_EQ(ata_model_get_config(three.get(), &config), ATA_OK);
  EXPECT_EQ(config.classes, 3);
  EXPECT_STREQ(device_of(three.get()), device_name());
  const char* label = "unset";
  ASSERT_EQ(ata_model_get_label(three.get(), 0, &label), ATA_OK);
  EXPECT_EQ(label, nullptr);
  EXPECT_EQ(features_of(three.get()), features_of(model_.get()));
  // Its weights are a new model's, and depend on the seed.
  const Handle<ata_model> again = copy_of(three.get(), 5, 1), other = copy_of(three.get(), 5, 2);
  const auto logits_of = [&](const ata_model* model) {
    ata_session* session = nullptr;
    EXPECT_EQ(ata_session_create(model, nullptr, &session), ATA_OK);
    const Handle<ata_session> owner(session);
    return forward(session);
  };
  EXPECT_EQ(logits_of(again.get()), logits_of(model_.get()));
  EXPECT_NE(logits_of(other.get()), logits_of(model_.get()));
  // What cannot be leaves no model.
  ata_model* none = nullptr;
  EXPECT_EQ(ata_model_replace_head(model_.get(), 0, 1, &none), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "classes is 0");
  EXPECT_EQ(none, nullptr);
}

TEST_F(CApiModel, ImportsTellWhatBecameOfTheFile) {
  EXPECT_EQ(ata_model_import_note_count(model_.get()), 0u);
  EXPECT_EQ(ata_model_import_note_count(nullptr), 0u);
  EXPECT_EQ(ata_model_value_count(nullptr), 0);
  const ata::Scratch scratch;
  const std::string path = scratch.path("model.safetensors");
  ASSERT_EQ(ata_model_save(model_.get(), path.c_str()), ATA_OK) << ata_last_error();
  ata_import_options options;
  ASSERT_EQ(ata_import_options_init(&options, sizeof(options)), ATA_OK);
  options.classes = 4;
  options.device = device_name();
  const char* const patterns[] = {"head.*", "time_embed"};
  options.ignore = patterns;
  options.ignore_count = 1;
  ata_model* raw = nullptr;
  ASSERT_EQ(ata_model_import(path.c_str(), &options, &raw), ATA_OK) << ata_last_error();
  const Handle<ata_model> imported(raw);
  EXPECT_STREQ(device_of(raw), device_name());
  EXPECT_EQ(ata_model_value_count(imported.get()), ata_model_value_count(model_.get()) - 49);
  int ignored = 0, made = 0;
  for (size_t i = 0; i < ata_model_import_note_count(imported.get()); ++i) {
    ata_import_note_kind kind = ATA_IMPORT_FOUND;
    const char* subject = nullptr;
    const char* text = nullptr;
    ASSERT_EQ(ata_model_get_import_note(imported.get(), i, &kind, &subject, &text), ATA_OK);
    ignored += kind == ATA_IMPORT_IGNORED && std::string(subject).rfind("head.", 0) == 0;
    made += kind == ATA_IMPORT_NEW && std::string(subject) == "head";
  }
  EXPECT_EQ(ignored, 2);
  EXPECT_EQ(made, 1);

  raw = nullptr;
  ata_import_note_kind kind = ATA_IMPORT_FOUND;
  const char* text = nullptr;
  EXPECT_EQ(ata_model_get_import_note(imported.get(), 999, &kind, &text, &text),
            ATA_INVALID_ARGUMENT);
  options.ignore_count = 2;
  EXPECT_EQ(ata_model_import(path.c_str(), &options, &raw), ATA_BAD_MODEL);
  options.ignore = nullptr;
  EXPECT_EQ(ata_model_import(path.c_str(), &options, &raw), ATA_INVALID_ARGUMENT);
  options.ignore_count = 0;
  options.activation = 3;
  EXPECT_EQ(ata_model_import(path.c_str(), &options, &raw), ATA_INVALID_ARGUMENT);
  options.activation = -1;
  options.mean[0] = 0.5f;
  EXPECT_EQ(ata_model_import(path.c_str(), &options, &raw), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(raw, nullptr);
}

TEST_F(CApiModel, SessionsOutliveTheModelHandle) {
  auto first = session();
  const std::vector<float> before = forward(first.get());
  model_.reset();
  EXPECT_EQ(forward(first.get()), before);
}

TEST_F(CApiModel, SavedModelLoadsAndGivesTheSame) {
  const std::vector<float> expected = forward(session().get());
  const char* labels[] = {"a", "b", "c", "d", "e"};
  ASSERT_EQ(ata_model_set_labels(model_.get(), labels, 5), ATA_OK);
  EXPECT_EQ(ata_model_set_labels(model_.get(), labels, 4), ATA_INVALID_ARGUMENT);
  const ata::Scratch scratch;
  const std::string path = scratch.path("model.safetensors");
  ASSERT_EQ(ata_model_save(model_.get(), path.c_str()), ATA_OK) << ata_last_error();

  ata_model* loaded = nullptr;
  ata_model_options loading;
  ASSERT_EQ(ata_model_options_init(&loading, sizeof(loading)), ATA_OK);
  loading.device = device_name();
  ASSERT_EQ(ata_model_load(path.c_str(), &loading, &loaded), ATA_OK) << ata_last_error();
  model_.reset(loaded);
  EXPECT_STREQ(device_of(loaded), device_name());
  const char* label = nullptr;
  ASSERT_EQ(ata_model_get_label(loaded, 3, &label), ATA_OK);
  EXPECT_STREQ(label, "d");
  EXPECT_EQ(ata_model_get_label(loaded, 5, &label), ATA_INVALID_ARGUMENT);
  const std::vector<float> logits = forward(session().get());
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(logits[i], expected[i], 1e-4f);
  // Inference keeps no plain weights.
  EXPECT_EQ(ata_model_save(loaded, path.c_str()), ATA_UNSUPPORTED);
}

TEST_F(CApiModel, LoadsFromMemoryAsFromAFile) {
  const std::vector<float> expected = forward(session().get());
  const ata::Scratch scratch;
  const std::string path = scratch.path("model.safetensors");
  ASSERT_EQ(ata_model_save(model_.get(), path.c_str()), ATA_OK) << ata_last_error();
  std::string bytes = ata::read_file(path);
  ata_model_options loading;
  ASSERT_EQ(ata_model_options_init(&loading, sizeof(loading)), ATA_OK);
  loading.device = device_name();
  ata_model* loaded = nullptr;
  ASSERT_EQ(ata_model_load(path.c_str(), &loading, &loaded), ATA_OK) << ata_last_error();
  model_.reset(loaded);
  const std::vector<float> of_file = forward(session().get());
  ASSERT_EQ(ata_model_load_memory(bytes.data(), bytes.size(), nullptr, &loading, &loaded), ATA_OK)
      << ata_last_error();
  // Nothing of them is kept.
  const std::string whole = std::exchange(bytes, std::string());
  model_.reset(loaded);
  EXPECT_EQ(forward(session().get()), of_file);

  loaded = nullptr;
  EXPECT_EQ(ata_model_load_memory(nullptr, 1, nullptr, nullptr, &loaded), ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "data is NULL");
  EXPECT_EQ(ata_model_load_memory(whole.data(), SIZE_MAX, nullptr, nullptr, &loaded),
            ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_model_load_memory(nullptr, 0, nullptr, nullptr, &loaded), ATA_BAD_MODEL);
  EXPECT_MENTIONS(ata_last_error(), "'<memory>' is empty");
  // What is wrong with a file is wrong with its bytes, whatever they are called.
  for (const size_t size : {size_t{4}, size_t{100}, whole.size() - 1}) {
    ata::write_file(path, whole.substr(0, size));
    ASSERT_EQ(ata_model_load(path.c_str(), nullptr, &loaded), ATA_BAD_MODEL);
    const std::string message = ata_last_error();
    EXPECT_EQ(ata_model_load_memory(whole.data(), size, path.c_str(), nullptr, &loaded),
              ATA_BAD_MODEL);
    EXPECT_EQ(ata_last_error(), message);
  }
  const std::string index = R"({"weight_map": {"a": "model-00001-of-00002.safetensors"}})";
  EXPECT_EQ(ata_model_load_memory(index.data(), index.size(), "the upload", nullptr, &loaded),
            ATA_BAD_MODEL);
  EXPECT_MENTIONS(ata_last_error(), "'the upload' is an index of shards");
  EXPECT_MENTIONS(ata_last_error(), "ata import FILE OUT.safetensors");
  EXPECT_EQ(loaded, nullptr);
}

TEST_F(CApiModel, ReleasedCachesAreMadeAgain) {
  auto run = session();
  const std::vector<float> before = forward(run.get());
  ata_release_caches();
  EXPECT_EQ(forward(run.get()), before);
  std::atomic<bool> done = false;
  std::thread other([&] {
    while (!done) ata_release_caches();
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(forward(run.get()), before);
  done = true;
  other.join();
}

TEST_F(CApiModel, WrongBuffersAndClipsAreRefused) {
  auto run = session();
  float logits[5] = {7, 7, 7, 7, 7};
  EXPECT_EQ(ata_session_forward(run.get(), clip_.get(), nullptr, logits, 4), ATA_INVALID_ARGUMENT);
  const int64_t shape[] = {1, 3, 2, 32, 32};
  ata_tensor* other = nullptr;
  ASSERT_EQ(ata_tensor_create(ATA_F32, shape, 5, nullptr, &other), ATA_OK);
  Handle<ata_tensor> wrong(other);
  EXPECT_EQ(ata_session_forward(run.get(), wrong.get(), nullptr, logits, 5), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(logits[0], 7);
  ata_tensor* trajectories = nullptr;
  EXPECT_NE(ata_session_get_trajectories(run.get(), 99, &trajectories), ATA_OK);
}

// Room for everything that a run gives, between values that must stay.
struct Room {
  explicit Room(const std::vector<int32_t>& features_of = {0, 1, 2},
                const std::vector<int32_t>& trajectories_of = {0, 1})
      : feature_blocks(features_of), trajectory_blocks(trajectories_of) {
    EXPECT_EQ(ata_session_outputs_init(&outputs, sizeof(outputs)), ATA_OK);
    features.assign(feature_blocks.size() * 3 * 16 * 48, 7.0f);
    trajectories.assign(trajectory_blocks.size() * 3 * 16, 7);
    outputs.logits = logits.data();
    outputs.logits_count = logits.size();
    outputs.class_token = class_token.data();
    outputs.class_token_count = class_token.size();
    outputs.feature_blocks = feature_blocks.data();
    outputs.feature_block_count = feature_blocks.size();
    outputs.features = features.data();
    outputs.features_count = features.size();
    outputs.trajectory_blocks = trajectory_blocks.data();
    outputs.trajectory_block_count = trajectory_blocks.size();
    outputs.trajectories = trajectories.data();
    outputs.trajectories_count = trajectories.size();
  }

  bool untouched() const {
    const auto is_seven = [](auto value) { return value == 7; };
    return std::all_of(logits.begin(), logits.end(), is_seven) &&
           std::all_of(class_token.begin(), class_token.end(), is_seven) &&
           std::all_of(features.begin(), features.end(), is_seven) &&
           std::all_of(trajectories.begin(), trajectories.end(), is_seven);
  }

  ata_session_outputs outputs;
  std::vector<int32_t> feature_blocks, trajectory_blocks;
  std::vector<float> logits = std::vector<float>(5, 7.0f);
  std::vector<float> class_token = std::vector<float>(48, 7.0f);
  std::vector<float> features;
  std::vector<int32_t> trajectories;
};

TEST_F(CApiModel, OneRunGivesWhatSingleOnesGive) {
  auto run = session();
  Room all({2, 0, 1}, {1, 0});
  ASSERT_EQ(ata_session_run(run.get(), clip_.get(), nullptr, &all.outputs), ATA_OK)
      << ata_last_error();
  EXPECT_EQ(all.logits, forward(session().get()));
  const size_t each = 3 * 16 * 48;
  for (size_t i = 0; i < 3; ++i) {
    Room one({all.feature_blocks[i]}, {});
    one.outputs.logits = one.outputs.class_token = nullptr;
    one.outputs.logits_count = one.outputs.class_token_count = 0;
    one.outputs.trajectories = nullptr;
    ASSERT_EQ(ata_session_run(session().get(), clip_.get(), nullptr, &one.outputs), ATA_OK)
        << ata_last_error();
    EXPECT_TRUE(std::equal(one.features.begin(), one.features.end(),
                           all.features.begin() + static_cast<std::ptrdiff_t>(i * each)))
        << i;
  }
  forward(run.get());
  for (size_t i = 0; i < 2; ++i) {
    ata_tensor* read = nullptr;
    ASSERT_EQ(ata_session_get_trajectories(run.get(), all.trajectory_blocks[i], &read), ATA_OK);
    const Handle<ata_tensor> owned(read);
    const auto* patches = static_cast<const int32_t*>(info_of(read).data);
    EXPECT_TRUE(std::equal(patches, patches + 3 * 16,
                           all.trajectories.begin() + static_cast<std::ptrdiff_t>(i * 3 * 16)));
  }
}

TEST_F(CApiModel, WrongRoomForOutputsIsRefusedAndLeftAlone) {
  auto run = session();
  const auto refused = [&](const char* text, Room& room) {
    EXPECT_EQ(ata_session_run(run.get(), clip_.get(), nullptr, &room.outputs),
              ATA_INVALID_ARGUMENT);
    EXPECT_NE(std::string(ata_last_error()).find(text), std::string::npos) << ata_last_error();
    EXPECT_TRUE(room.untouched());
  };
  const auto with = [&](const char* text, auto change) {
    Room room;
    change(room.outputs);
    refused(text, room);
  };
  with("logits has room for 4", [](auto& o) { o.logits_count = 4; });
  with("logits is NULL", [](auto& o) { o.logits = nullptr; });
  with("class_token has room for 49", [](auto& o) { o.class_token_count = 49; });
  with("features has room", [](auto& o) { --o.features_count; });
  with("features has room", [](auto& o) { o.feature_block_count = SIZE_MAX / 8; });
  with("features is NULL", [](auto& o) { o.features = nullptr; });
  with("feature_blocks is NULL", [](auto& o) { o.feature_blocks = nullptr; });
  with("features has room", [](auto& o) { o.feature_block_count = 0; });
  with("trajectories has room", [](auto& o) { o.trajectories_count = 16; });
  with("trajectory_blocks is NULL", [](auto& o) { o.trajectory_blocks = nullptr; });
  with("asks for nothing", [](auto& o) {
    o = {};
    o.struct_size = sizeof(o);
  });
  Room beyond({0, 3, 1});
  refused("block is 3; it must be 0 to 2", beyond);
  Room negative({0}, {-1});
  refused("block is -1; it must be 0 to 1", negative);
  Room twice({1, 0, 1});
  refused("features of block 1 are asked for twice", twice);
  Room followed_twice({0}, {1, 1});
  refused("trajectories of block 1 are asked for twice", followed_twice);
  Room fine;
  EXPECT_EQ(ata_session_run(run.get(), clip_.get(), nullptr, nullptr), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_session_run(nullptr, clip_.get(), nullptr, &fine.outputs), ATA_INVALID_ARGUMENT);
  EXPECT_EQ(ata_session_run(run.get(), nullptr, nullptr, &fine.outputs), ATA_INVALID_ARGUMENT);
  ata_cancellation* flag = nullptr;
  ASSERT_EQ(ata_cancellation_create(&flag), ATA_OK);
  const Handle<ata_cancellation> owned(flag);
  ata_cancellation_cancel(flag);
  EXPECT_EQ(ata_session_run(run.get(), clip_.get(), flag, &fine.outputs), ATA_CANCELLED);
  EXPECT_TRUE(fine.untouched());
}

TEST_F(CApiModel, CancellationStopsARun) {
  ata_cancellation* created = nullptr;
  ASSERT_EQ(ata_cancellation_create(&created), ATA_OK);
  Handle<ata_cancellation> flag(created);
  ata_cancellation_cancel(flag.get());
  auto run = session();
  float logits[5] = {7, 7, 7, 7, 7};
  EXPECT_EQ(ata_session_forward(run.get(), clip_.get(), flag.get(), logits, 5), ATA_CANCELLED);
  EXPECT_EQ(logits[0], 7);
  // The session is usable afterwards.
  forward(run.get());
}

TEST_F(CApiModel, GradientsAndTrajectoriesAreRead) {
  auto run = session();
  int64_t label = 2;
  const Handle<ata_tensor> labels = wrap(&label, sizeof(label), ATA_I64, {1});
  std::vector<float> logits(5);
  float loss = 0;
  ASSERT_EQ(ata_session_compute_gradients(run.get(), clip_.get(), labels.get(), nullptr,
                                          logits.data(), 5, &loss),
            ATA_OK)
      << ata_last_error();
  EXPECT_GT(loss, 0);
  ata_tensor* gradient = nullptr;
  ASSERT_EQ(ata_session_get_gradient(run.get(), "head.weight", &gradient), ATA_OK);
  Handle<ata_tensor> owned(gradient);
  EXPECT_NE(ata_session_get_gradient(run.get(), "no.such", &gradient), ATA_OK);
  ata_tensor* trajectories = nullptr;
  ASSERT_EQ(ata_session_get_trajectories(run.get(), 1, &trajectories), ATA_OK);
  Handle<ata_tensor> index(trajectories);
  const ata_tensor_info info = info_of(trajectories);
  EXPECT_EQ(info.shape[1], 3);
  EXPECT_EQ(info.shape[2], 16);
  label = 5;
  EXPECT_EQ(ata_session_compute_gradients(run.get(), clip_.get(), labels.get(), nullptr,
                                          logits.data(), 5, &loss),
            ATA_INVALID_ARGUMENT);
}

TEST_F(CApiModel, ClipsComeFromTheHostOrTheModelsDevice) {
  EXPECT_STREQ(device_of(model_.get()), device_name());
  auto run = session();
  const std::vector<float> expected = forward(run.get());
  int64_t label = 2;
  const Handle<ata_tensor> labels = wrap(&label, sizeof(label), ATA_I64, {1});
  std::vector<float> logits(5), again(5);
  float loss = 0, same_loss = 0;
  ASSERT_EQ(ata_session_compute_gradients(run.get(), clip_.get(), labels.get(), nullptr,
                                          logits.data(), 5, &loss),
            ATA_OK);
  const Handle<ata_tensor> host_clip = std::exchange(clip_, on_device(clip_));
  EXPECT_STREQ(info_of(clip_.get()).device, device_name());
  EXPECT_EQ(forward(run.get()), expected);
  ASSERT_EQ(ata_session_compute_gradients(run.get(), clip_.get(), on_device(labels).get(), nullptr,
                                          again.data(), 5, &same_loss),
            ATA_OK)
      << ata_last_error();
  EXPECT_EQ(again, logits);
  EXPECT_EQ(same_loss, loss);

  // What is wrong with one is found out there, too.
  static_cast<float*>(info_of(host_clip.get()).data)[17] = std::nanf("");
  const auto spoilt = on_device(host_clip);
  EXPECT_EQ(ata_session_forward(run.get(), spoilt.get(), nullptr, logits.data(), 5),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "NaN");
  if (third_device() == nullptr) return;
  const auto elsewhere = copied(clip_.get(), third_device());
  expect_third_device_refused(
      ata_session_forward(run.get(), elsewhere.get(), nullptr, logits.data(), 5), "clip");
  const auto labels_elsewhere = copied(labels.get(), third_device());
  expect_third_device_refused(
      ata_session_compute_gradients(run.get(), clip_.get(), labels_elsewhere.get(), nullptr,
                                    logits.data(), 5, &loss),
      "labels");
}

TEST_F(CApiModel, SessionsInSeveralThreadsAgree) {
  const std::vector<float> expected = forward(session().get());
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([this, &result] {
      auto own = session();
      for (int i = 0; i < 5; ++i) result = forward(own.get());
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

}  // namespace
