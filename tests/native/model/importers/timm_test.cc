#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "../import_fixture.h"

namespace ata {
namespace {

class TimmImportTest : public ImportTest {};

// Four equal frames: whatever a model does over time must leave them equal.
Tensor still(const Tensor& moving) {
  Tensor result = moving.clone();
  const int64_t plane = 32 * 32;
  for (int64_t channel = 0; channel < 2 * 3; ++channel) {
    float* first = result.data<float>() + channel * 4 * plane;
    for (int64_t t = 1; t < 4; ++t) std::memcpy(first + t * plane, first, plane * sizeof(float));
  }
  return result;
}

TEST_F(TimmImportTest, ImageModelIsUnchangedInEveryMode) {
  // What the image model itself makes of a clip that stands still.
  const Tensor clip = still(image_.get("clip"));
  const Tensor expected = Session(load_model(checkpoint(image_))).forward(clip);
  write(timm("module.model."));
  options_.frames = 4;
  for (ata_temporal_mode mode : {ATA_TEMPORAL_SPACE_ONLY, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_ATA}) {
    options_.temporal = mode;
    const auto model = import();
    EXPECT_EQ(model->config().image_size, 32);
    EXPECT_EQ(vit_config(model->config()).patch_size, 8);
    EXPECT_EQ(model->config().depth(), 2);
    EXPECT_EQ(vit_config(model->config()).hidden_dim(), 192);
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

TEST_F(TimmImportTest, LayerScaleIsFolded) {
  auto tensors = timm();
  Tensor two({48}, DType::kF32), half({48}, DType::kF32);
  std::fill_n(two.data<float>(), 48, 2.0f);
  std::fill_n(half.data<float>(), 48, 0.5f);
  for (const char* block : {"blocks.0.", "blocks.1."}) {
    tensors.emplace_back(std::string(block) + "ls1.gamma", two);
    tensors.emplace_back(std::string(block) + "ls2.gamma", half);
  }
  write(tensors);
  const auto model = import();
  const auto ratio = [&](const std::string& name, const std::string& original) {
    return model->parameters().tensor(name).data<float>()[9] / weight(original).data<float>()[9];
  };
  EXPECT_EQ(ratio("blocks.1.attn.proj.weight", "blocks.1.attn.proj.weight"), 2.0f);
  EXPECT_EQ(ratio("blocks.1.attn.proj.bias", "blocks.1.attn.proj.bias"), 2.0f);
  EXPECT_EQ(ratio("blocks.0.mlp.fc2.weight", "blocks.0.mlp.fc2.weight"), 0.5f);
  EXPECT_EQ(ratio("blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc1.weight"), 1.0f);
}

TEST_F(TimmImportTest, RejectsWhatItCannotExpress) {
  const auto with = [&](const std::string& name, Shape shape) {
    auto tensors = timm();
    tensors.emplace_back(name, Tensor::zeros(shape, DType::kF32));
    const std::string message = rejection(tensors);
    EXPECT_MENTIONS(message, "'" + name + "'");
    return message;
  };
  EXPECT_MENTIONS(with("fc_norm.weight", {48}), "mean of the patches");
  EXPECT_MENTIONS(with("dist_token", {1, 1, 48}), "distillation");
  EXPECT_MENTIONS(with("head_dist.weight", {7, 48}), "distillation");
  EXPECT_MENTIONS(with("reg_token", {1, 4, 48}), "register");
  EXPECT_MENTIONS(with("register_tokens", {1, 4, 48}), "register");
  EXPECT_MENTIONS(with("pre_logits.fc.weight", {48, 48}), "before the head");
  EXPECT_MENTIONS(with("attn_pool.latent", {1, 1, 48}), "pools");
  EXPECT_MENTIONS(with("blocks.0.attn.q_norm.weight", {12}), "queries");
  EXPECT_MENTIONS(with("blocks.0.attn.qkv.lora_A", {4, 48}), "LoRA");
  EXPECT_MENTIONS(with("blocks.0.mlp.w12.weight", {4, 48}), "SwiGLU");
  EXPECT_MENTIONS(with("blocks.1.attn.relative_position_bias_table", {4}), "BEiT");
  EXPECT_MENTIONS(with("blocks.1.attn.q_bias", {48}), "VideoMAE");
  EXPECT_MENTIONS(with("something", {4}), "--ignore 'something'");
  EXPECT_MENTIONS(with("blocks.0.norm1.scale", {4}), "--ignore");
  EXPECT_MENTIONS(with("blocks.01.norm1.weight", {48}), "--ignore");
  EXPECT_MENTIONS(with("xhead.weight", {7, 48}), "--ignore");
  EXPECT_MENTIONS(with("module.norm.weight", {48}), "--ignore");
}

TEST_F(TimmImportTest, RejectsIncompleteAndMisshapenCheckpoints) {
  const auto replaced = [&](const std::string& name, const Tensor& value) {
    auto tensors = timm();
    for (auto& entry : tensors) {
      if (entry.first == name) entry.second = value;
    }
    return rejection(tensors);
  };
  // Each tensor alone, under both prefixes.
  for (const std::string prefix : {"", "module.model."}) {
    for (const auto& [name, tensor] : timm(prefix)) {
      EXPECT_MENTIONS(rejection_without(timm(prefix), name), "'" + name + "' is missing");
    }
  }
  // A whole block, and half a group.
  auto deeper = timm();
  for (const auto& [name, tensor] : timm()) {
    if (name.rfind("blocks.1.", 0) == 0)
      deeper.emplace_back(replace(name, "blocks.1", "blocks.2"), tensor);
  }
  EXPECT_MENTIONS(rejection_without(deeper, "blocks.1."), "block 1 of 3");
  auto scaled = timm();
  scaled.emplace_back("blocks.0.ls1.gamma", random_tensor({48}, 1));
  EXPECT_MENTIONS(rejection(scaled), "'blocks.1.ls1.gamma' is missing");

  EXPECT_MENTIONS(replaced("pos_embed", random_tensor({1, 16 + 2, 48}, 1)), "no square grid");
  EXPECT_MENTIONS(replaced("blocks.1.norm2.weight", random_tensor({47}, 1)),
                  "'blocks.1.norm2.weight'");
  EXPECT_MENTIONS(replaced("patch_embed.proj.weight", random_tensor({48, 1, 8, 8}, 1)), "channels");
  EXPECT_MENTIONS(replaced("patch_embed.proj.weight", random_tensor({48, 3, 8, 4}, 1)), "square");
  EXPECT_MENTIONS(replaced("patch_embed.proj.weight", random_tensor({48, 192}, 1)), "axes");
  EXPECT_MENTIONS(replaced("blocks.0.mlp.fc1.weight", Tensor::zeros({0, 48}, DType::kF32)),
                  "empty");
  EXPECT_MENTIONS(replaced("blocks.0.mlp.fc1.weight", random_tensor({384, 48}, 1)), "SwiGLU");
  EXPECT_MENTIONS(replaced("head.weight", random_tensor({7, 96}, 1)), "head.weight");
  Tensor damaged = weight("blocks.1.norm2.bias").clone();
  damaged.data<float>()[3] = NAN;
  EXPECT_MENTIONS(replaced("blocks.1.norm2.bias", damaged), "'blocks.1.norm2.bias' holds");
  EXPECT_MENTIONS(replaced("norm.bias", Tensor::zeros({48}, DType::kI64)), "'norm.bias'");
}

TEST_F(TimmImportTest, PublishedConfigIsRead) {
  options_ = {};
  write(timm());
  const std::string start =
      R"({"architecture": "vit_tiny_patch16_224", "global_pool": "token", "num_classes": 7,
          "model_args": {"num_heads": 4, "embed_dim": 48, "depth": 2},
          "pretrained_cfg": {"input_size": [3, 32, 32], "std": [0.5, 0.25, 0.5],)";
  put("config.json", start + R"("mean": [0.5, 0.5, 0.5],
      "label_names": ["a", "b", "c", "d", "e", "f", "g"], "label_descriptions": {"b": "bee"}}})");
  const auto model = import();
  EXPECT_EQ(vit_config(model->config()).heads, 4);
  EXPECT_EQ(model->config().std[1], 0.25f);
  EXPECT_EQ(model->config().labels[1], "bee");
  EXPECT_EQ(model->config().labels[2], "c");
  EXPECT_MENTIONS(note(ATA_IMPORT_FOUND, "heads"),
                  "4, by 'model_args.num_heads' of '" + path("config.json"));
  options_.tensors_only = true;
  EXPECT_MENTIONS(refusal(), "--heads");
  options_.tensors_only = false;
  put("config.json", start + R"("mean": [0.5, "x", 0.5]}})");
  EXPECT_MENTIONS(refusal(), "'pretrained_cfg.mean' of '" + path("config.json"));
  put("config.json", start + R"("mean": [0.5, 1e300, 0.5]}})");
  EXPECT_MENTIONS(refusal(), "pretrained_cfg.mean");
  put("config.json", R"({"architecture": "swin_tiny_patch4_window7_224"})");
  EXPECT_MENTIONS(refusal(), "'swin_tiny_patch4_window7_224'");
  put("config.json", R"({"architecture": "vit_tiny_patch16_224", "global_pool": "avg"})");
  EXPECT_MENTIONS(refusal(), "global_pool");
  put("config.json", R"({"architecture": "vit_tiny_patch16_224", "num_classes": 8})");
  EXPECT_MENTIONS(refusal(), "classes of 7, but 'num_classes'");
}

}  // namespace
}  // namespace ata
