#include "model/import.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "fixture.h"
#include "model/importers/glob.h"
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
  ImportTest() : image_("tiny-space_only") {
    options_.heads = 4;
    options_.normalization = kImageNet;
  }

  std::shared_ptr<Model> import() {
    ImportedModel imported = import_checkpoint(path(), options_);
    notes_ = std::move(imported.notes);
    return imported.model;
  }

  // What the last import says of a subject, "" when nothing.
  std::string note(ata_import_note_kind kind, const std::string& subject) const {
    for (const ImportNote& note : notes_) {
      if (note.kind == kind && note.subject == subject) return note.text;
    }
    return "";
  }

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
    const std::string message = error_of(ATA_BAD_MODEL, [&] { import(); });
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
  ImportNotes notes_;
};

TEST_F(ImportTest, TimmImageModelIsUnchangedInEveryMode) {
  // What the image model itself makes of a clip that stands still.
  const Tensor clip = still_clip();
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

TEST_F(ImportTest, TemporalWeightsStartAsCopiesAndZeros) {
  write(timm());
  const auto model = import();
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
  EXPECT_EQ(load_model(path("imported"))->config().to_json(), model->config().to_json());
}

TEST_F(ImportTest, RandomTimesAreThoseOfANewModel) {
  write(timm());
  options_.seed = 5;
  options_.random_times = true;
  const auto model = import();
  EXPECT_TRUE(
      same_bits(model->parameters().tensor("time_embed"),
                Model::create(model->config(), options_.seed)->parameters().tensor("time_embed")));
}

TEST_F(ImportTest, HeadIsReplacedWhenClassesDiffer) {
  write(timm());
  options_.classes = 3;
  const auto model = import();
  EXPECT_EQ(model->config().classes, 3);
  EXPECT_EQ(model->parameters().tensor("head.weight").shape(), (Shape{3, 48}));
  EXPECT_NE(model->parameters().tensor("head.weight").data<float>()[0], 0.0f);
  options_.seed = 1;
  EXPECT_FALSE(same_bits(import()->parameters().tensor("head.weight"),
                         model->parameters().tensor("head.weight")));
  options_.classes = 7;
  EXPECT_TRUE(same_bits(import()->parameters().tensor("head.weight"), weight("head.weight")));
}

TEST_F(ImportTest, TimeSformerComesBackWhole) {
  const Fixture video("tiny-divided");
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (size_t i = 0; i < video.parameters.count(); ++i) {
    tensors.emplace_back("model." + video.parameters.name(i), video.parameters.tensor(i));
  }
  write(tensors);
  options_.temporal = ATA_TEMPORAL_DIVIDED;
  const auto model = import();
  EXPECT_EQ(model->config().frames, 4);
  EXPECT_LT(largest_difference(Session(model).forward(video.get("clip")), video.get("logits")),
            1e-4);
  options_.source = ATA_CHECKPOINT_TIMESFORMER;
  options_.frames = 8;
  const auto longer = import();
  EXPECT_EQ(longer->parameters().tensor("time_embed").shape(), (Shape{1, 8, 48}));
  EXPECT_EQ(longer->parameters().tensor("time_embed").data<float>()[48],
            video.parameters.tensor("time_embed").data<float>()[0]);
}

TEST_F(ImportTest, OwnCheckpointGainsTemporalWeights) {
  Fixture joint("tiny-joint");
  joint.config.labels = {"a", "b", "c", "d", "e", "f", "g"};
  checkpoint(joint);
  options_.heads = 0;  // 48 is no multiple of 64: the stored configuration says 4.
  const auto model = import();
  EXPECT_EQ(vit_config(model->config()).heads, 4);
  EXPECT_EQ(model->config().frames, 4);
  // It stays what it was unless asked.
  EXPECT_EQ(model->config().temporal, ATA_TEMPORAL_JOINT);
  EXPECT_FALSE(model->parameters().contains("blocks.1.temporal_fc.weight"));
  EXPECT_EQ(model->config().labels, joint.config.labels);
  EXPECT_TRUE(
      same_bits(model->parameters().tensor("time_embed"), joint.parameters.tensor("time_embed")));
  options_.temporal = ATA_TEMPORAL_ATA;
  EXPECT_TRUE(import()->parameters().contains("blocks.1.temporal_fc.weight"));
  EXPECT_MENTIONS(note(ATA_IMPORT_NEW, "attention over time"), "copy");

  // What was trained on pictures becomes a model of videos.
  Fixture image("tiny-space_only");
  image.config.frames = 1;
  checkpoint(image);
  options_.temporal.reset();
  EXPECT_EQ(import()->config().temporal, ATA_TEMPORAL_ATA);
  EXPECT_EQ(import()->config().frames, 1);
}

TEST_F(ImportTest, ClipUnderBothNamings) {
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
  const auto model = import();
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

TEST_F(ImportTest, LeavesOutWhatIsHarmlessOrAskedForAndSaysSo) {
  auto tensors = timm();
  tensors.emplace_back("mask_token", random_tensor({1, 1, 48}, 1));
  tensors.emplace_back("decoder_blocks.0.norm1.weight", random_tensor({48}, 1));
  tensors.emplace_back("blocks.0.attn.qkv.lora_A", random_tensor({4, 48}, 1));
  tensors.emplace_back("blocks.1.attn.qkv.lora_A", random_tensor({4, 48}, 1));
  write(tensors);
  options_.ignore = {"*.lora_?"};
  const auto model = import();
  EXPECT_TRUE(same_bits(model->parameters().tensor("head.weight"), weight("head.weight")));
  EXPECT_MENTIONS(note(ATA_IMPORT_IGNORED, "mask_token"), "pretraining");
  EXPECT_MENTIONS(note(ATA_IMPORT_IGNORED, "decoder_blocks.0.norm1.weight"), "decoder");
  EXPECT_MENTIONS(note(ATA_IMPORT_IGNORED, "blocks.0.attn.qkv.lora_A"), "as asked");
  EXPECT_MENTIONS(note(ATA_IMPORT_IGNORED, "blocks.1.attn.qkv.lora_A"), "as asked");
  options_.ignore = {"*.lora_?", "typo*"};
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { import(); }), "'typo*'");
}

TEST_F(ImportTest, SaysWhatIsNewAndAssumed) {
  write(timm());
  options_.classes = 3;
  import();
  EXPECT_MENTIONS(note(ATA_IMPORT_NEW, "head"), "the file's head has 7");
  EXPECT_MENTIONS(note(ATA_IMPORT_NEW, "time_embed"), "zero");
  EXPECT_MENTIONS(note(ATA_IMPORT_NEW, "attention over time"), "mode ata");
  EXPECT_MENTIONS(note(ATA_IMPORT_ASSUMED, "activation"), "gelu");
  EXPECT_MENTIONS(note(ATA_IMPORT_ASSUMED, "norm_eps"), "1e-06");
  EXPECT_MENTIONS(note(ATA_IMPORT_ASSUMED, "frames"), "8");
  EXPECT_MENTIONS(note(ATA_IMPORT_FOUND, "source"), "timm");
  options_.classes = 0;
  options_.temporal = ATA_TEMPORAL_SPACE_ONLY;
  import();
  for (const ImportNote& note : notes_) EXPECT_NE(note.kind, ATA_IMPORT_NEW) << note.subject;
}

TEST_F(ImportTest, AsksForWhatNobodySays) {
  write(timm());
  options_ = {};
  const std::string message = error_of(ATA_BAD_MODEL, [&] { import(); });
  EXPECT_MENTIONS(message, "--heads");
  EXPECT_MENTIONS(message, "--normalization");
  write(openai_clip());
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { import(); }), "--activation");
  options_.heads = 5;
  options_.activation = ATA_ACTIVATION_GELU;
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { import(); }), "do not divide");
}

TEST_F(ImportTest, PositionsAreInterpolatedAndMayLackTheClassToken) {
  auto tensors = timm();
  const Tensor patches = weight("pos_embed").reshape({17, 48}).slice(1, 17).clone();
  for (auto& [name, tensor] : tensors) {
    if (name == "pos_embed") tensor = patches.reshape({1, 16, 48});
  }
  write(tensors);
  const Tensor positions = import()->parameters().tensor("pos_embed");
  EXPECT_EQ(positions.data<float>()[5], 0.0f);
  EXPECT_TRUE(same_bits(positions.reshape({17, 48}).slice(1, 17), patches));
  EXPECT_MENTIONS(note(ATA_IMPORT_CONVERTED, "pos_embed"), "zero");

  write(timm());
  options_.image_size = 48;
  const auto finer = import();
  EXPECT_EQ(finer->config().image_size, 48);
  EXPECT_EQ(finer->parameters().tensor("pos_embed").shape(), (Shape{1, 37, 48}));
  EXPECT_MENTIONS(note(ATA_IMPORT_CONVERTED, "pos_embed"), "bicubically from 4 x 4");
  options_.positions = ATA_POSITIONS_NEAREST;
  EXPECT_FALSE(same_bits(import()->parameters().tensor("pos_embed"),
                         finer->parameters().tensor("pos_embed")));
  options_.image_size = 44;
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { import(); }), "multiple of patch_size");
}

TEST_F(ImportTest, EveryPrefixIsFoundOnce) {
  const auto expected = image_.parameters.tensor("blocks.1.mlp.fc2.weight");
  for (const char* prefix :
       {"model.", "module.", "_orig_mod.", "backbone.", "encoder.", "visual.", "vit.",
        "base_model.model.", "module._orig_mod.model.", "0.", "a.b.c."}) {
    write(timm(prefix));
    EXPECT_TRUE(same_bits(import()->parameters().tensor("blocks.1.mlp.fc2.weight"), expected))
        << prefix;
    EXPECT_MENTIONS(note(ATA_IMPORT_FOUND, "source"), prefix);
  }
  auto tensors = timm("teacher.");
  for (const auto& tensor : timm("student.")) tensors.push_back(tensor);
  EXPECT_MENTIONS(rejection(tensors), "two networks");
  options_.ignore = {"student.*"};
  write(tensors);
  EXPECT_TRUE(same_bits(import()->parameters().tensor("blocks.1.mlp.fc2.weight"), expected));
}

TEST_F(ImportTest, RejectsWhatIsNotACheckpointItKnows) {
  EXPECT_MENTIONS(rejection({{"layer1.conv.weight", random_tensor({2, 2}, 1)}}),
                  "the first is 'layer1.conv.weight'");
  EXPECT_MENTIONS(rejection({}), "no vision transformer that Ata knows");
  EXPECT_MENTIONS(rejection({{"bn1.running_mean", random_tensor({2}, 1)}}), "ResNet");
  EXPECT_MENTIONS(rejection({{"patch_embed.proj.weight", random_tensor({48, 3, 2, 8, 8}, 1)}}),
                  "VideoMAE");
  write(timm());
  options_.source = ATA_CHECKPOINT_CLIP;
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL, [&] { import(); }), "is not a checkpoint of CLIP");
}

TEST_F(ImportTest, RejectsIncompleteAndMisshapenCheckpoints) {
  using Tensors = std::vector<std::pair<std::string, Tensor>>;
  const auto without = [&](Tensors tensors, const std::string& start) {
    EXPECT_GT(std::erase_if(tensors, [&](const auto& t) { return t.first.rfind(start, 0) == 0; }),
              0u);
    return rejection(tensors);
  };
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
      EXPECT_MENTIONS(without(timm(prefix), name), "'" + name + "' is missing");
    }
  }
  options_.activation = ATA_ACTIVATION_GELU;
  for (const auto& tensors : {openai_clip(), hugging_face_clip()}) {
    for (const auto& [name, tensor] : tensors) {
      const bool vision = name.rfind("visual.", 0) == 0 || name.rfind("vision_model.", 0) == 0;
      if (!vision || name == "visual.proj" || name.ends_with("position_ids")) continue;
      EXPECT_MENTIONS(without(tensors, name), "'" + name + "' is missing");
    }
  }
  Fixture video("tiny-divided");
  Tensors whole;
  for (size_t i = 0; i < video.parameters.count(); ++i) {
    whole.emplace_back(video.parameters.name(i), video.parameters.tensor(i));
  }
  for (const auto& [name, tensor] : whole) {
    if (name.ends_with("attn.qkv.bias")) continue;  // Its fellow in the other attention is named.
    EXPECT_MENTIONS(without(whole, name), "'" + name + "' is missing");
  }
  EXPECT_MENTIONS(without(whole, "blocks.0.attn.qkv.bias"), "qkv.bias' is missing");
  // A whole block, and half a group.
  auto deeper = timm();
  for (const auto& [name, tensor] : timm()) {
    if (name.rfind("blocks.1.", 0) == 0)
      deeper.emplace_back(replace(name, "blocks.1", "blocks.2"), tensor);
  }
  EXPECT_MENTIONS(without(deeper, "blocks.1."), "block 1 of 3");
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

// What lies beside a checkpoint.
class PublishedConfigTest : public ImportTest {
 protected:
  PublishedConfigTest() { options_ = {}; }

  void put(const std::string& file, const std::string& text) {
    std::ofstream(path(file), std::ios::binary) << text;
  }
  std::string refusal() {
    return error_of(ATA_BAD_MODEL, [&] { import(); });
  }
};

TEST_F(PublishedConfigTest, TimmsIsRead) {
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

TEST_F(PublishedConfigTest, HuggingFacesIsRead) {
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

TEST_F(PublishedConfigTest, OpenClipsIsReadForOpenAisNames) {
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

TEST(Glob, FitsStarsAndQuestionMarks) {
  EXPECT_TRUE(glob_matches("blocks.*.lora_?", "blocks.0.attn.lora_A"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a*b*c", "axxbxbyc"));
  EXPECT_FALSE(glob_matches("a*b*c", "axxbxby"));
  EXPECT_FALSE(glob_matches("a?", "a"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches(std::string(2000, '*') + "b", std::string(20000, 'a')));
}

}  // namespace
}  // namespace ata
