#include "model/model.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "fixture.h"
#include "model/session.h"

namespace ata {
namespace {

class ModelTest : public ModelFileTest {
 protected:
  // The fixture's tensors under `config`, with `change` applied to the file before saving.
  std::string write(const Fixture& fixture, const std::string& json,
                    const std::function<void(TensorFile&)>& change = nullptr) {
    TensorFile file;
    for (size_t i = 0; i < fixture.parameters.count(); ++i) {
      file.set(fixture.parameters.name(i), fixture.parameters.tensor(i));
    }
    if (!json.empty()) file.set_metadata("config", json);
    if (change) change(file);
    file.save(path());
    return path();
  }

  std::string rejection(const std::string& file, bool trainable = false) {
    ModelOptions options;
    options.trainable = trainable;
    const std::string message = error_of(ATA_BAD_MODEL, [&] { load_model(file, options); });
    EXPECT_MENTIONS(message, file);
    return message;
  }
};

TEST_F(ModelTest, SaveAndLoadRoundTripIsBitExact) {
  for (const char* name : {"tiny-ata", "tiny-space_only"}) {
    const Fixture fixture(name);
    ModelOptions options;
    options.trainable = true;
    const auto first = load_model(checkpoint(fixture), options);
    first->save(path("copy"));
    const auto second = load_model(path("copy"), options);
    EXPECT_EQ(second->config().to_json(), first->config().to_json());
    EXPECT_EQ(parameter_names(*second), parameter_names(*first));
    for (const std::string& parameter : parameter_names(*first)) {
      EXPECT_TRUE(same_bits(weight_of(*second, parameter), fixture.parameters.tensor(parameter)))
          << parameter;
    }
    second->save(path("again"));
    EXPECT_EQ(read_file(path("copy")), read_file(path("again")));
  }
}

TEST_F(ModelTest, TrainableKeepsTemporalWeightsThatItsModeDoesNotRead) {
  const Fixture fixture("tiny-ata");
  ModelOptions options;
  options.trainable = true;
  options.temporal = ATA_TEMPORAL_JOINT;
  const auto model = load_model(checkpoint(fixture), options);
  EXPECT_EQ(model->parameters().count(), fixture.parameters.count());
  Session session(model);
  session.gradients(fixture.get("clip"), fixture.get("labels"));
  const Tensor unread = session.gradient("blocks.0.temporal_fc.weight");
  for (float value : unread.values<float>()) EXPECT_EQ(value, 0.0f);
  model->save(path("saved"));
  options.temporal = ATA_TEMPORAL_ATA;
  Session ata(load_model(path("saved"), options));
  EXPECT_LT(largest_difference(ata.forward(fixture.get("clip")), fixture.get("logits")), 1e-4);
}

TEST_F(ModelTest, CreationIsDeterministicAndAsDocumented) {
  ModelConfig config = ModelConfig::named("vit-tiny");
  change_vit(config, [](VitConfig& vit) { vit.blocks = 2; });
  config.classes = 3;
  const auto a = create_model(config, 5), b = create_model(config, 5), c = create_model(config, 6);
  const auto weight = [](const auto& model, const char* name) { return weight_of(*model, name); };
  for (const std::string& name : parameter_names(*a)) {
    EXPECT_TRUE(same_bits(weight(a, name.c_str()), weight(b, name.c_str()))) << name;
  }
  EXPECT_FALSE(same_bits(weight(a, "head.weight"), weight(c, "head.weight")));
  const char* qkv = "blocks.1.attn.qkv.weight";
  EXPECT_FALSE(same_bits(weight(a, qkv), weight(a, "blocks.0.attn.qkv.weight")));
  // 0.02 at width 768, inversely as its root in the matrices of other widths; vit-tiny's is 192.
  for (const auto& [name, deviation] :
       {std::pair{qkv, 0.04}, {"pos_embed", 0.02}, {"time_embed", 0.5}}) {
    double sum = 0, squares = 0;
    const Tensor random = weight(a, name);
    const auto values = random.values<float>();
    for (float value : values) {
      EXPECT_LE(std::abs(value), 2 * deviation + 1e-6) << name;
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const double count = static_cast<double>(values.size());
    EXPECT_NEAR(sum / count, 0, 0.05 * deviation) << name;
    // A normal cut at two deviations keeps 0.88 of its deviation.
    EXPECT_NEAR(std::sqrt(squares / count), deviation * 0.8796, 0.03 * deviation) << name;
  }
  for (const char* name : {"blocks.1.temporal_fc.weight", "blocks.1.mlp.fc1.bias"}) {
    const Tensor zeros = weight(a, name);
    for (float value : zeros.values<float>()) EXPECT_EQ(value, 0.0f) << name;
  }
  const Tensor ones = weight(a, "blocks.0.temporal_norm1.weight");
  for (float value : ones.values<float>()) {
    EXPECT_EQ(value, 1.0f);
  }
  config.temporal = ATA_TEMPORAL_SPACE_ONLY;
  const auto image = create_model(config, 5);
  EXPECT_TRUE(same_bits(weight(image, qkv), weight(a, qkv)));
  EXPECT_FALSE(image->parameters().contains("time_embed"));
  EXPECT_FALSE(image->parameters().contains("blocks.0.temporal_fc.weight"));
}

TEST_F(ModelTest, EmbeddingsAreResampled) {
  const Fixture fixture("tiny-ata");
  checkpoint(fixture);
  ModelOptions options;
  options.trainable = true;
  options.frames = 6;
  options.image_size = 48;
  const auto model = load_model(path(), options);
  EXPECT_EQ(model->config().frames, 6);
  EXPECT_EQ(model->config().image_size, 48);
  const Tensor time = fixture.parameters.tensor("time_embed");
  const Tensor more = weight_of(*model, "time_embed");
  ASSERT_EQ(more.shape(), (Shape{1, 6, 48}));
  const int nearest[] = {0, 0, 1, 2, 2, 3};
  for (int t = 0; t < 6; ++t) {
    EXPECT_EQ(more.data<float>()[t * 48 + 7], time.data<float>()[nearest[t] * 48 + 7]) << t;
  }
  const Tensor positions = fixture.parameters.tensor("pos_embed");
  const Tensor finer = weight_of(*model, "pos_embed");
  ASSERT_EQ(finer.shape(), (Shape{1, 37, 48}));
  EXPECT_EQ(finer.data<float>()[5], positions.data<float>()[5]);
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) {
      const int from = 1 + nearest[y] * 4 + nearest[x];
      EXPECT_EQ(finer.data<float>()[(1 + y * 6 + x) * 48 + 5],
                positions.data<float>()[from * 48 + 5]);
    }
  }
  options.bicubic_positions = true;
  const auto bicubic = load_model(path(), options);
  EXPECT_FALSE(same_bits(weight_of(*bicubic, "pos_embed"), finer));

  // Inference and training read the same embeddings.
  const Tensor clip = random_clip(model->config(), 1, 3);
  options.trainable = false;
  EXPECT_LT(largest_difference(Session(load_model(path(), options)).forward(clip),
                               Session(bicubic).forward(clip)),
            1e-5);
}

TEST_F(ModelTest, ModesThatTheCheckpointCannotRunNameTheRemedy) {
  const Fixture joint("tiny-joint");
  ModelOptions options;
  options.temporal = ATA_TEMPORAL_ATA;
  checkpoint(joint);
  const std::string message = error_of(ATA_UNSUPPORTED, [&] { load_model(path(), options); });
  EXPECT_MENTIONS(message, "no 'blocks.0.temporal_norm1.weight'");
  EXPECT_MENTIONS(message, "ata import " + path() + " OUT.safetensors --temporal ata");
  const Fixture image("tiny-space_only");
  checkpoint(image);
  options.temporal = ATA_TEMPORAL_JOINT;
  EXPECT_MENTIONS(error_of(ATA_UNSUPPORTED, [&] { load_model(path(), options); }),
                  "no 'time_embed'");
}

TEST_F(ModelTest, RejectsImpossibleOptions) {
  const Fixture fixture("tiny-ata");
  checkpoint(fixture);
  ModelOptions options;
  options.image_size = 33;
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { load_model(path(), options); }),
                  "not a multiple");
  options = {};
  options.frames = -2;
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { load_model(path(), options); }), "frames");
  options = {};
  ata_model_options asked = {};
  asked.temporal = asked.alignment = asked.window_radius = -1;
  asked.device = "cuda:63";
  // A GPU that is not there; never the CPU instead.
  error_of(ATA_DEVICE_UNAVAILABLE, [&] { ModelOptions::from_c(asked); });
  asked.device = "tpu";
  EXPECT_MENTIONS(error_of(ATA_DEVICE_UNAVAILABLE, [&] { ModelOptions::from_c(asked); }), "'tpu'");
  options = {};
  options.alignment = ATA_ALIGNMENT_SOFT;
  options.align_every = 2;
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { load_model(path(), options); }), "'soft'");
  error_of(ATA_NOT_FOUND, [&] { load_model(path("nothing"), {}); });
}

TEST_F(ModelTest, InferenceModelsHaveNoPlainWeights) {
  const Fixture fixture("tiny-ata");
  const auto model = load_model(checkpoint(fixture));
  EXPECT_EQ(parameter_names(*model).size(), fixture.parameters.count());
  EXPECT_MENTIONS(error_of(ATA_UNSUPPORTED, [&] { model->save(path("b")); }), "trainable");
  Session session(model);
  EXPECT_MENTIONS(error_of(ATA_UNSUPPORTED,
                           [&] { session.gradients(fixture.get("clip"), fixture.get("labels")); }),
                  "trainable");
}

TEST_F(ModelTest, LabelsTravelWithTheCheckpoint) {
  const Fixture fixture("tiny-ata");
  ModelOptions options;
  options.trainable = true;
  const auto model = load_model(checkpoint(fixture), options);
  error_of(ATA_INVALID_ARGUMENT, [&] { model->set_labels({"a"}); });
  const std::vector<std::string> labels = {"a", "b", "c", "d", "e", "f", "g"};
  model->set_labels(labels);
  model->save(path("labelled"));
  EXPECT_EQ(load_model(path("labelled"))->config().labels, labels);
  model->set_labels({"\xff", "b", "c", "d", "e", "f", "g"});
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { model->save(path("x")); }), "UTF-8");
}

TEST_F(ModelTest, RejectsFilesThatContradictThemselves) {
  const Fixture fixture("tiny-ata");
  ModelConfig config = fixture.config;
  EXPECT_MENTIONS(rejection(write(fixture, "")), "ata import");
  EXPECT_MENTIONS(rejection(write(fixture, "{")), "JSON");
  config.classes = 8;
  EXPECT_MENTIONS(rejection(write(fixture, config.to_json())),
                  "'head.weight' has shape [7, 48], but the configuration calls for [8, 48]");
  config = fixture.config;
  config.frames = 5;
  EXPECT_MENTIONS(rejection(write(fixture, config.to_json())), "'time_embed'");
  config = fixture.config;
  config.image_size = 64;
  EXPECT_MENTIONS(rejection(write(fixture, config.to_json())), "'pos_embed'");
  config = fixture.config;
  change_vit(config, [](VitConfig& vit) { vit.blocks = 3; });
  EXPECT_MENTIONS(rejection(write(fixture, config.to_json())),
                  "'blocks.2.temporal_norm1.weight' is missing");
  config = fixture.config;
  change_vit(config, [](VitConfig& vit) { vit.width = 96; });
  EXPECT_MENTIONS(rejection(write(fixture, config.to_json())), "'cls_token'");
  // Another rank with the same number of elements.
  EXPECT_MENTIONS(rejection(write(fixture, fixture.config.to_json(),
                                  [&](TensorFile& file) {
                                    file.set("cls_token", file.get("cls_token").reshape({48}));
                                  })),
                  "'cls_token' has shape [48]");
  EXPECT_MENTIONS(rejection(write(fixture, fixture.config.to_json(),
                                  [&](TensorFile& file) {
                                    file.set("norm.bias", Tensor::zeros({48}, DType::kI32));
                                  })),
                  "'norm.bias' has element type i32");
}

TEST_F(ModelTest, RejectsWeightsThatAreNotFinite) {
  const Fixture fixture("tiny-ata");
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       -std::numeric_limits<float>::infinity()};
  for (const char* name :
       {"blocks.1.mlp.fc2.weight", "pos_embed", "norm.bias", "blocks.0.temporal_fc.weight"}) {
    for (float value : bad) {
      write(fixture, fixture.config.to_json(), [&](TensorFile& file) {
        Tensor tensor = file.get(name).clone();
        tensor.data<float>()[13] = value;
        file.set(name, tensor);
      });
      for (bool trainable : {false, true}) {
        const std::string message = rejection(path(), trainable);
        EXPECT_MENTIONS(message, std::string("'") + name + "'");
        EXPECT_MENTIONS(message, "position 13");
      }
    }
  }
}

// Without them another network might come out.
TEST_F(ModelTest, RejectsTensorsThatAreNotTheModels) {
  const Fixture fixture("tiny-ata");
  for (const char* name : {"blocks.7.norm1.weight", "blocks.0.attn.qkv.lora_A", "norm_pre.bias"}) {
    write(fixture, fixture.config.to_json(),
          [&](TensorFile& file) { file.set(name, Tensor::zeros({48}, DType::kF32)); });
    const std::string message = error_of(ATA_BAD_MODEL, [&] { load_model(path()); });
    EXPECT_MENTIONS(message, std::string("'") + name + "'");
    EXPECT_MENTIONS(message, "--ignore");
  }
}

// Every layer norm and MLP of a model computes what its configuration says.
TEST_F(ModelTest, ActivationAndNormEpsAreTheConfigurations) {
  Fixture fixture("tiny-ata");
  const Tensor clip = fixture.get("clip");
  const Tensor usual = Session(load_model(checkpoint(fixture))).forward(clip);
  change_vit(fixture.config, [](VitConfig& vit) { vit.activation = ATA_ACTIVATION_QUICK_GELU; });
  const Tensor quick = Session(load_model(checkpoint(fixture))).forward(clip);
  EXPECT_GT(largest_difference(quick, usual), 1e-3);
  change_vit(fixture.config, [](VitConfig& vit) { vit.norm_eps = 0.1f; });
  EXPECT_GT(largest_difference(Session(load_model(checkpoint(fixture))).forward(clip), quick),
            1e-3);
  // Training computes the same, in both its ways.
  ModelOptions options;
  options.trainable = true;
  EXPECT_LT(largest_difference(Session(load_model(path(), options)).forward(clip),
                               Session(load_model(path())).forward(clip)),
            1e-5);
}

TEST_F(ModelTest, ReadsHalfPrecisionCheckpoints) {
  const Fixture fixture("tiny-divided");
  write(fixture, fixture.config.to_json(), [&](TensorFile& file) {
    for (size_t i = 0; i < fixture.parameters.count(); ++i) {
      const Tensor& from = fixture.parameters.tensor(i);
      Tensor half(from.shape(), DType::kBF16);
      for (int64_t k = 0; k < from.count(); ++k) {
        half.data<BFloat16>()[k] = to_bfloat16(from.data<float>()[k]);
      }
      file.set(fixture.parameters.name(i), half);
    }
  });
  Session session(load_model(path()));
  EXPECT_LT(relative_error(session.forward(fixture.get("clip")), fixture.get("logits")), 2e-2);
}

TEST(ModelOptionsTest, ConvertsTheCStruct) {
  ata_model_options options = {};
  options.struct_size = sizeof(options);
  options.precision = ATA_PRECISION_BF16;
  options.temporal = -1;
  options.alignment = ATA_ALIGNMENT_WINDOW;
  options.frames = 16;
  options.window_radius = 0;
  options.align_every = 3;
  options.temperature = 0.5f;
  const ModelOptions result = ModelOptions::from_c(options);
  EXPECT_EQ(result.device, &cpu_device());
  EXPECT_EQ(result.precision, ATA_PRECISION_BF16);
  EXPECT_FALSE(result.temporal.has_value());
  EXPECT_EQ(result.alignment, ATA_ALIGNMENT_WINDOW);
  EXPECT_EQ(result.frames, 16);
  EXPECT_EQ(result.window_radius, 0);
  EXPECT_EQ(result.align_every, 3);
  EXPECT_EQ(result.temperature, 0.5f);
  EXPECT_FALSE(result.iterations.has_value());
  EXPECT_FALSE(result.image_size.has_value());
  options.temporal = 4;
  EXPECT_THROW(ModelOptions::from_c(options), Error);
  options.temporal = -1;
  options.precision = static_cast<ata_precision>(2);
  EXPECT_THROW(ModelOptions::from_c(options), Error);
}

}  // namespace
}  // namespace ata
