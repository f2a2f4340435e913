#include "model/import.h"

#include <gtest/gtest.h>

#include "import_fixture.h"

namespace ata {
namespace {

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
  const std::string message = refusal();
  EXPECT_MENTIONS(message, "--heads");
  EXPECT_MENTIONS(message, "--normalization");
  options_.heads = 5;
  options_.normalization = kImageNet;
  EXPECT_MENTIONS(refusal(), "do not divide");
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

}  // namespace
}  // namespace ata
