#include <gtest/gtest.h>

#include "../import_fixture.h"

namespace ata {
namespace {

class ClipImportTest : public ImportTest {
 protected:
  /// OpenAI's names, with a pre-norm and a projection, without head and patch bias.
  NamedTensors openai_clip() {
    NamedTensors result = {{"visual.class_embedding", weight("cls_token").reshape({48})},
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

  /// The same weights under Hugging Face's names.
  NamedTensors hugging_face_clip() {
    NamedTensors result;
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
};

TEST_F(ClipImportTest, BothNamingsGiveTheSameModel) {
  options_.classes = 7;
  options_.temporal = ATA_TEMPORAL_SPACE_ONLY;
  options_.frames = 4;
  options_.normalization.reset();
  options_.activation = ATA_ACTIVATION_QUICK_GELU;
  write(openai_clip());
  const auto openai = import();
  write(hugging_face_clip());
  const auto hugging_face = import();
  ASSERT_EQ(parameter_names(*hugging_face), parameter_names(*openai));
  for (const std::string& name : parameter_names(*openai)) {
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
  EXPECT_FLOAT_EQ(vit_config(openai->config()).norm_eps, 1e-5f);
  EXPECT_EQ(vit_config(openai->config()).activation, ATA_ACTIVATION_QUICK_GELU);

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
  EXPECT_LT(largest_difference(Session(load_model(path("clip"))).forward(image_.get("clip")),
                               session.forward(image_.get("clip"))),
            1e-4);
}

TEST_F(ClipImportTest, AsksForTheActivation) {
  write(openai_clip());
  options_ = {};
  EXPECT_MENTIONS(refusal(), "--activation");
  options_.heads = 5;
  options_.activation = ATA_ACTIVATION_GELU;
  EXPECT_MENTIONS(refusal(), "do not divide");
}

TEST_F(ClipImportTest, RejectsIncompleteCheckpoints) {
  options_.activation = ATA_ACTIVATION_GELU;
  for (const auto& tensors : {openai_clip(), hugging_face_clip()}) {
    for (const auto& [name, tensor] : tensors) {
      const bool vision = name.rfind("visual.", 0) == 0 || name.rfind("vision_model.", 0) == 0;
      if (!vision || name == "visual.proj" || name.ends_with("position_ids")) continue;
      EXPECT_MENTIONS(rejection_without(tensors, name), "'" + name + "' is missing");
    }
  }
}

TEST_F(ClipImportTest, PublishedConfigOfHuggingFaceIsRead) {
  options_ = {};
  write(hugging_face_clip());
  const auto config = [](const std::string& vision) {
    return R"({"model_type": "clip", "vision_config": {"hidden_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 192, "image_size": 32, "patch_size": 8)" +
           vision + "}}";
  };
  put("config.json", config(""));
  const auto model = import();
  EXPECT_EQ(vit_config(model->config()).heads, 4);
  EXPECT_EQ(vit_config(model->config()).activation, ATA_ACTIVATION_QUICK_GELU);
  EXPECT_EQ(vit_config(model->config()).norm_eps, 1e-5f);
  put("config.json", config(R"(, "hidden_act": "gelu", "layer_norm_eps": 1e-7)"));
  put("preprocessor_config.json",
      R"({"image_mean": [0.5, 0.5, 0.25], "image_std": [0.5, 0.5, 0.5], "crop_size": 24})");
  const auto other = import();
  EXPECT_EQ(vit_config(other->config()).activation, ATA_ACTIVATION_GELU);
  EXPECT_EQ(vit_config(other->config()).norm_eps, 1e-7f);
  EXPECT_EQ(other->config().mean[2], 0.25f);
  EXPECT_MENTIONS(note(ATA_IMPORT_FOUND, "image_size"), "--image-size 24");
  options_.activation = ATA_ACTIVATION_QUICK_GELU;
  EXPECT_EQ(vit_config(import()->config()).activation, ATA_ACTIVATION_QUICK_GELU);
  EXPECT_MENTIONS(note(ATA_IMPORT_FOUND, "activation"), "as asked");
  options_.activation.reset();

  put("config.json", config(R"(, "hidden_act": "relu")"));
  EXPECT_MENTIONS(refusal(), "'relu'");
  put("config.json", config(R"(, "num_attention_heads": 5)"));
  EXPECT_MENTIONS(refusal(), "divide");
  put("config.json", config(R"(, "num_hidden_layers": 12)"));
  EXPECT_MENTIONS(refusal(), "'vision_config.num_hidden_layers' of");
  put("config.json", config(R"(, "image_size": [32, 64])"));
  EXPECT_MENTIONS(refusal(), "square");
  put("config.json", config(R"(, "hidden_size": "48")"));
  EXPECT_MENTIONS(refusal(), "whole number");
  put("config.json", R"({"model_type": "videomae"})");
  EXPECT_MENTIONS(refusal(), "'videomae'");
  put("config.json", "{");
  EXPECT_MENTIONS(refusal(), "not valid JSON");
  put("config.json", R"({"a": 1e400})");
  EXPECT_MENTIONS(refusal(), "not valid JSON");
  put("config.json", std::string(100000, '['));
  EXPECT_MENTIONS(refusal(), "nested too deeply");
  put("config.json", "[]");
  EXPECT_MENTIONS(refusal(), "not a JSON object");
  put("config.json", config(""));
  put("preprocessor_config.json", R"({"do_rescale": false})");
  EXPECT_MENTIONS(refusal(), "do_rescale");
}

TEST_F(ClipImportTest, PublishedConfigOfOpenClipIsReadForOpenAisNames) {
  options_ = {};
  write(openai_clip());
  put("config.json", R"({"model_type": "clip", "vision_config": {"hidden_act": "gelu"}})");
  put("open_clip_config.json",
      R"({"model_cfg": {"quick_gelu": true, "vision_cfg": {"width": 48, "layers": 2, "head_width": 12,
          "patch_size": 8, "image_size": 32}}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5],
          "std": [0.5, 0.5, 0.5]}})");
  const auto model = import();
  EXPECT_EQ(vit_config(model->config()).heads, 4);
  EXPECT_EQ(vit_config(model->config()).activation, ATA_ACTIVATION_QUICK_GELU);
  EXPECT_EQ(model->config().mean[0], 0.5f);
  EXPECT_MENTIONS(note(ATA_IMPORT_IGNORED, path("config.json")), "CLIP");
}

}  // namespace
}  // namespace ata
