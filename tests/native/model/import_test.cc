#include "model/import.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "fixture.h"
#include "model/session.h"

namespace ata {
namespace {

using Renamer = std::function<std::string(const std::string&)>;

std::string replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// Image models whose weights come from the space_only fixture; 48 wide with 4 heads.
class ImportTest : public ModelFileTest {
 protected:
  ImportTest() : image_("tiny-space_only") { options_.heads = 4; }

  std::string write(const std::vector<std::pair<std::string, Tensor>>& tensors) {
    TensorFile file;
    for (const auto& [name, tensor] : tensors) file.set(name, tensor);
    file.save(path());
    return path();
  }

  std::vector<std::pair<std::string, Tensor>> timm(const std::string& prefix = "") {
    std::vector<std::pair<std::string, Tensor>> result;
    for (size_t i = 0; i < image_.parameters.count(); ++i) {
      result.emplace_back(prefix + image_.parameters.name(i), image_.parameters.tensor(i));
    }
    return result;
  }

  const Tensor& weight(const std::string& name) { return image_.parameters.tensor(name); }

  // OpenAI's names, with a pre-norm and a projection, without head and patch bias.
  std::vector<std::pair<std::string, Tensor>> openai_clip() {
    std::vector<std::pair<std::string, Tensor>> result = {
        {"visual.class_embedding", weight("cls_token").reshape({48})},
        {"visual.positional_embedding", weight("pos_embed").reshape({17, 48})},
        {"visual.conv1.weight", weight("patch_embed.proj.weight")},
        {"visual.ln_pre.weight", random_tensor({48}, 1)},
        {"visual.ln_pre.bias", random_tensor({48}, 2)},
        {"visual.ln_post.weight", weight("norm.weight")},
        {"visual.ln_post.bias", weight("norm.bias")},
        {"visual.proj", random_tensor({48, 32}, 3)},
        {"token_embedding.weight", random_tensor({10, 8}, 4)},
        {"logit_scale", random_tensor(Shape(), 5)}};
    const std::pair<const char*, const char*> parts[] = {{"attn.qkv.weight", "attn.in_proj_weight"},
                                                         {"attn.qkv.bias", "attn.in_proj_bias"},
                                                         {"attn.proj", "attn.out_proj"},
                                                         {"norm1", "ln_1"},
                                                         {"norm2", "ln_2"},
                                                         {"mlp.fc1", "mlp.c_fc"},
                                                         {"mlp.fc2", "mlp.c_proj"}};
    for (const auto& [name, tensor] : timm()) {
      if (name.rfind("blocks.", 0) != 0) continue;
      std::string renamed = name;
      for (const auto& [ours, theirs] : parts)
        renamed = replace(renamed, std::string(".") + ours, std::string(".") + theirs);
      result.emplace_back("visual.transformer.resblocks." + renamed.substr(7), tensor);
    }
    return result;
  }

  // The same weights under Hugging Face's names.
  std::vector<std::pair<std::string, Tensor>> hugging_face_clip() {
    std::vector<std::pair<std::string, Tensor>> result;
    const std::pair<const char*, const char*> parts[] = {
        {"class_embedding", "embeddings.class_embedding"},
        {"positional_embedding", "embeddings.position_embedding.weight"},
        {"conv1", "embeddings.patch_embedding"},
        {"ln_pre", "pre_layrnorm"},
        {"ln_post", "post_layernorm"},
        {"transformer.resblocks", "encoder.layers"},
        {"attn.out_proj", "self_attn.out_proj"},
        {"ln_1", "layer_norm1"},
        {"ln_2", "layer_norm2"},
        {"mlp.c_fc", "mlp.fc1"},
        {"mlp.c_proj", "mlp.fc2"}};
    for (const auto& [name, tensor] : openai_clip()) {
      if (name == "visual.proj") {
        result.emplace_back("visual_projection.weight", random_tensor({32, 48}, 3));
        continue;
      }
      if (name.rfind("visual.", 0) != 0) {
        result.emplace_back("text_model." + name, tensor);
        continue;
      }
      std::string renamed = "vision_model." + name.substr(7);
      for (const auto& [openai, theirs] : parts) renamed = replace(renamed, openai, theirs);
      const size_t at = renamed.find("attn.in_proj_");
      if (at == std::string::npos) {
        result.emplace_back(renamed, tensor);
        continue;
      }
      const char* projections[] = {"q", "k", "v"};
      for (int64_t i = 0; i < 3; ++i) {
        result.emplace_back(replace(renamed, "attn.in_proj_",
                                    std::string("self_attn.") + projections[i] + "_proj."),
                            tensor.slice(i * 48, (i + 1) * 48));
      }
    }
    result.emplace_back("vision_model.embeddings.position_ids",
                        Tensor::zeros({1, 17}, DType::kI64));
    return result;
  }

  std::string rejection(const std::vector<std::pair<std::string, Tensor>>& tensors) {
    write(tensors);
    const std::string message =
        error_of(ATA_BAD_MODEL, [&] { import_checkpoint(path(), options_); });
    EXPECT_MENTIONS(message, path());
    return message;
  }

  // Four equal frames: whatever a model does over time must leave them equal.
  Tensor still_clip() {
    const Tensor moving = image_.get("clip");
    Tensor still = moving.clone();
    const int64_t plane = 32 * 32;
    for (int64_t channel = 0; channel < 2 * 3; ++channel) {
      float* first = still.data<float>() + channel * 4 * plane;
      for (int64_t t = 1; t < 4; ++t) std::memcpy(first + t * plane, first, plane * sizeof(float));
    }
    return still;
  }

  Fixture image_;
  ImportOptions options_;
};

TEST_F(ImportTest, TimmImageModelIsUnchangedInEveryMode) {
  // What the image model itself makes of a clip that stands still.
  const Tensor clip = still_clip();
  const Tensor expected = Session(Model::load(checkpoint(image_))).forward(clip);
  write(timm("module.model."));
  options_.frames = 4;
  for (ata_temporal_mode mode : {ATA_TEMPORAL_SPACE_ONLY, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_ATA}) {
    options_.temporal = mode;
    const auto model = import_checkpoint(path(), options_);
    EXPECT_EQ(model->config().image_size, 32);
    EXPECT_EQ(model->config().patch_size, 8);
    EXPECT_EQ(model->config().depth, 2);
    EXPECT_EQ(model->config().hidden_dim(), 192);
    EXPECT_EQ(model->config().classes, 7);
    EXPECT_EQ(model->config().temporal, mode);
    Session session(model);
    if (mode == ATA_TEMPORAL_SPACE_ONLY) {
      EXPECT_LT(largest_difference(session.forward(image_.get("clip")), image_.get("logits")),
                1e-4);
    }
    EXPECT_LT(largest_difference(session.forward(clip), expected), 1e-4)
        << temporal_mode_name(mode);
  }
}

TEST_F(ImportTest, TemporalWeightsStartAsCopiesAndZeros) {
  write(timm());
  const auto model = import_checkpoint(path(), options_);
  EXPECT_EQ(model->config().frames, 8);
  EXPECT_EQ(model->config().temporal, ATA_TEMPORAL_ATA);
  const ParameterSet& parameters = model->parameters();
  for (const char* part : {"attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "norm1.bias"}) {
    const std::string image = std::string("blocks.1.") + part;
    const std::string temporal = std::string("blocks.1.temporal_") + part;
    EXPECT_TRUE(same_bits(parameters.tensor(temporal), weight(image))) << temporal;
    EXPECT_TRUE(same_bits(parameters.tensor(image), weight(image))) << image;
    EXPECT_NE(parameters.tensor(temporal).raw(), parameters.tensor(image).raw());
  }
  for (const char* name :
       {"blocks.0.temporal_fc.weight", "blocks.1.temporal_fc.bias", "time_embed"}) {
    for (float value : parameters.tensor(name).values<float>()) EXPECT_EQ(value, 0.0f) << name;
  }
  model->save(path("imported"));
  EXPECT_EQ(Model::load(path("imported"))->config().to_json(), model->config().to_json());
}

TEST_F(ImportTest, RandomTimesAreThoseOfANewModel) {
  write(timm());
  options_.seed = 5;
  options_.random_times = true;
  const auto model = import_checkpoint(path(), options_);
  EXPECT_TRUE(
      same_bits(model->parameters().tensor("time_embed"),
                Model::create(model->config(), options_.seed)->parameters().tensor("time_embed")));
}

TEST_F(ImportTest, HeadIsReplacedWhenClassesDiffer) {
  write(timm());
  options_.classes = 3;
  const auto model = import_checkpoint(path(), options_);
  EXPECT_EQ(model->config().classes, 3);
  EXPECT_EQ(model->parameters().tensor("head.weight").shape(), (Shape{3, 48}));
  EXPECT_NE(model->parameters().tensor("head.weight").data<float>()[0], 0.0f);
  options_.seed = 1;
  EXPECT_FALSE(same_bits(import_checkpoint(path(), options_)->parameters().tensor("head.weight"),
                         model->parameters().tensor("head.weight")));
  options_.classes = 7;
  EXPECT_TRUE(same_bits(import_checkpoint(path(), options_)->parameters().tensor("head.weight"),
                        weight("head.weight")));
}

TEST_F(ImportTest, TimeSformerComesBackWhole) {
  const Fixture video("tiny-divided");
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (size_t i = 0; i < video.parameters.count(); ++i) {
    tensors.emplace_back("model." + video.parameters.name(i), video.parameters.tensor(i));
  }
  write(tensors);
  options_.temporal = ATA_TEMPORAL_DIVIDED;
  const auto model = import_checkpoint(path(), options_);
  EXPECT_EQ(model->config().frames, 4);
  EXPECT_LT(largest_difference(Session(model).forward(video.get("clip")), video.get("logits")),
            1e-4);
  options_.source = ATA_SOURCE_TIMESFORMER;
  options_.frames = 8;
  const auto longer = import_checkpoint(path(), options_);
  EXPECT_EQ(longer->parameters().tensor("time_embed").shape(), (Shape{1, 8, 48}));
  EXPECT_EQ(longer->parameters().tensor("time_embed").data<float>()[48],
            video.parameters.tensor("time_embed").data<float>()[0]);
}

TEST_F(ImportTest, OwnCheckpointGainsTemporalWeights) {
  Fixture joint("tiny-joint");
  joint.config.labels = {"a", "b", "c", "d", "e", "f", "g"};
  checkpoint(joint);
  options_.heads = 0;  // 48 is no multiple of 64: the stored configuration says 4.
  const auto model = import_checkpoint(path(), options_);
  EXPECT_EQ(model->config().heads, 4);
  EXPECT_EQ(model->config().frames, 4);
  EXPECT_EQ(model->config().temporal, ATA_TEMPORAL_ATA);
  EXPECT_EQ(model->config().labels, joint.config.labels);
  EXPECT_TRUE(
      same_bits(model->parameters().tensor("time_embed"), joint.parameters.tensor("time_embed")));
  EXPECT_TRUE(model->parameters().contains("blocks.1.temporal_fc.weight"));
}

TEST_F(ImportTest, ClipUnderBothNamings) {
  options_.classes = 7;
  options_.temporal = ATA_TEMPORAL_SPACE_ONLY;
  options_.frames = 4;
  write(openai_clip());
  const auto openai = import_checkpoint(path(), options_);
  write(hugging_face_clip());
  const auto hugging_face = import_checkpoint(path(), options_);
  ASSERT_EQ(hugging_face->parameter_names(), openai->parameter_names());
  for (const std::string& name : openai->parameter_names()) {
    EXPECT_TRUE(
        same_bits(hugging_face->parameters().tensor(name), openai->parameters().tensor(name)))
        << name;
    if (name.rfind("blocks.", 0) == 0) {
      EXPECT_TRUE(same_bits(openai->parameters().tensor(name), weight(name))) << name;
    }
  }
  for (float value : openai->parameters().tensor("patch_embed.proj.bias").values<float>()) {
    EXPECT_EQ(value, 0.0f);
  }
  EXPECT_FLOAT_EQ(openai->config().mean[0], 0.48145466f);

  // The pre-norm normalises what enters the first block.
  Session session(openai);
  const Tensor tokens = session.features(image_.get("clip"), 0);
  const Tensor gamma = random_tensor({48}, 1), beta = random_tensor({48}, 2);
  for (int64_t row = 0; row < 4; ++row) {
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < 48; ++c) {
      const double normalised = (tokens.data<float>()[row * 48 + c] - beta.data<float>()[c]) /
                                static_cast<double>(gamma.data<float>()[c]);
      sum += normalised;
      squares += normalised * normalised;
    }
    EXPECT_NEAR(sum / 48, 0, 1e-3);
    EXPECT_NEAR(squares / 48, 1, 1e-2);
  }
  // It survives saving, and packed weights compute the same.
  openai->save(path("clip"));
  EXPECT_LT(largest_difference(Session(Model::load(path("clip"))).forward(image_.get("clip")),
                               session.forward(image_.get("clip"))),
            1e-4);
}

TEST_F(ImportTest, WarnsOfWhatClipLoses) {
  static std::string text;
  text.clear();
  set_log_sink([](ata_log_level, const char* message, void*) { text += message; }, nullptr,
               ATA_LOG_WARNING);
  write(openai_clip());
  import_checkpoint(path(), options_);
  set_log_sink(nullptr, nullptr, ATA_LOG_OFF);
  EXPECT_MENTIONS(text, "quick GELU");
}

TEST_F(ImportTest, LayerScaleIsFolded) {
  auto tensors = timm();
  Tensor two({48}, DType::kF32), half({48}, DType::kF32);
  std::fill_n(two.data<float>(), 48, 2.0f);
  std::fill_n(half.data<float>(), 48, 0.5f);
  for (const char* block : {"blocks.0.", "blocks.1."}) {
    tensors.emplace_back(std::string(block) + "ls1.gamma", two);
    tensors.emplace_back(std::string(block) + "ls2.gamma", half);
  }
  write(tensors);
  const auto model = import_checkpoint(path(), options_);
  const auto ratio = [&](const std::string& name, const std::string& original) {
    return model->parameters().tensor(name).data<float>()[9] / weight(original).data<float>()[9];
  };
  EXPECT_EQ(ratio("blocks.1.attn.proj.weight", "blocks.1.attn.proj.weight"), 2.0f);
  EXPECT_EQ(ratio("blocks.1.attn.proj.bias", "blocks.1.attn.proj.bias"), 2.0f);
  EXPECT_EQ(ratio("blocks.0.mlp.fc2.weight", "blocks.0.mlp.fc2.weight"), 0.5f);
  EXPECT_EQ(ratio("blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc1.weight"), 1.0f);
}

TEST_F(ImportTest, RejectsWhatItCannotExpress) {
  const auto with = [&](const std::string& name, Shape shape) {
    auto tensors = timm();
    tensors.emplace_back(name, Tensor::zeros(shape, DType::kF32));
    return rejection(tensors);
  };
  EXPECT_MENTIONS(with("fc_norm.weight", {48}), "averages patches");
  EXPECT_MENTIONS(with("dist_token", {1, 1, 48}), "distillation");
  EXPECT_MENTIONS(with("blocks.0.attn.q_norm.weight", {12}), "'blocks.0.attn.q_norm.weight'");
  EXPECT_MENTIONS(with("blocks.1.attn.relative_position_bias_table", {4}), "nothing like");
  EXPECT_MENTIONS(with("module.norm.weight", {48}), "same tensor");
}

TEST_F(ImportTest, RejectsWhatIsNotACheckpointItKnows) {
  EXPECT_MENTIONS(rejection({{"layer1.conv.weight", random_tensor({2, 2}, 1)}}),
                  "the first is 'layer1.conv.weight'");
  EXPECT_MENTIONS(rejection({}), "timm, CLIP or TimeSformer");
  write(timm());
  options_.source = ATA_SOURCE_CLIP;
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { import_checkpoint(path(), options_); }),
                  "is not a CLIP checkpoint; its names are timm's");
  options_.source = ATA_SOURCE_AUTO;
  options_.heads = 0;
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { import_checkpoint(path(), options_); }), "--heads");
}

TEST_F(ImportTest, RejectsIncompleteAndMisshapenCheckpoints) {
  const auto without = [&](const std::string& name) {
    auto tensors = timm();
    std::erase_if(tensors, [&](const auto& entry) { return entry.first == name; });
    return rejection(tensors);
  };
  const auto replaced = [&](const std::string& name, Shape shape) {
    auto tensors = timm();
    for (auto& entry : tensors) {
      if (entry.first == name) entry.second = Tensor::zeros(shape, DType::kF32);
    }
    return rejection(tensors);
  };
  for (const char* name : {"cls_token", "pos_embed", "patch_embed.proj.weight",
                           "blocks.1.mlp.fc2.weight", "blocks.0.norm1.weight", "norm.bias"}) {
    EXPECT_MENTIONS(without(name), name);
  }
  EXPECT_MENTIONS(replaced("pos_embed", {1, 16, 48}), "square grid");
  EXPECT_MENTIONS(replaced("blocks.1.norm2.weight", {47}), "'blocks.1.norm2.weight'");
  EXPECT_MENTIONS(replaced("patch_embed.proj.weight", {48, 1, 8, 8}), "patch_embed");
  EXPECT_MENTIONS(replaced("patch_embed.proj.weight", {48, 192}), "patch_embed");
  EXPECT_MENTIONS(replaced("blocks.0.mlp.fc1.weight", {0, 48}), "mlp_ratio");
}

}  // namespace
}  // namespace ata
