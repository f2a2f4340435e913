#include "model/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "fixture.h"

namespace ata {
namespace {

constexpr char kExample[] =
    R"({"architecture":"vit","image_size":224,"patch_size":16,"dim":768,"depth":12,"heads":12,)"
    R"("mlp_ratio":4,"frames":8,"classes":400,"temporal":"ata","alignment":"exact"})";

// The example with one piece of text replaced.
std::string with(const std::string& piece, const std::string& replacement) {
  std::string json = kExample;
  const size_t at = json.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return json.replace(at, piece.size(), replacement);
}

std::string rejection(const std::string& json) {
  const std::string message =
      error_of(ATA_BAD_MODEL, [&] { ModelConfig::from_json(json, "model.safetensors"); });
  EXPECT_TRUE(message.starts_with("model.safetensors: ")) << message << " for " << json;
  return message;
}

TEST(ConfigTest, ReadsTheSpecificationsExample) {
  const ModelConfig config = ModelConfig::from_json(kExample, "x");
  EXPECT_EQ(config.image_size, 224);
  EXPECT_EQ(vit_config(config).patch_size, 16);
  EXPECT_EQ(config.dim(), 768);
  EXPECT_EQ(config.depth(), 12);
  EXPECT_EQ(vit_config(config).heads, 12);
  EXPECT_EQ(vit_config(config).mlp_ratio, 4.0f);
  EXPECT_EQ(vit_config(config).hidden_dim(), 3072);
  EXPECT_EQ(config.patches(), 196);
  EXPECT_EQ(config.frames, 8);
  EXPECT_EQ(config.classes, 400);
  EXPECT_EQ(config.temporal, ATA_TEMPORAL_ATA);
  EXPECT_EQ(config.alignment, ATA_ALIGNMENT_EXACT);
  EXPECT_TRUE(config.labels.empty());
  // Of files that were written before there was a choice.
  EXPECT_EQ(vit_config(config).activation, ATA_ACTIVATION_GELU);
  EXPECT_EQ(vit_config(config).norm_eps, 1e-6f);
}

TEST(ConfigTest, UnusualArithmeticIsWrittenAndRead) {
  EXPECT_EQ(ModelConfig().to_json().find("activation"), std::string::npos);
  EXPECT_EQ(ModelConfig().to_json().find("norm_eps"), std::string::npos);
  for (const ata_activation activation : {ATA_ACTIVATION_QUICK_GELU, ATA_ACTIVATION_GELU_TANH}) {
    ModelConfig config;
    change_vit(config, [&](VitConfig& vit) {
      vit.activation = activation;
      vit.norm_eps = 1e-12f;
    });
    const std::string backbone = config.backbone_json();
    const ModelConfig read = ModelConfig::from_json(config.to_json(), "x");
    EXPECT_EQ(vit_config(read).activation, activation);
    EXPECT_EQ(vit_config(read).norm_eps, 1e-12f);
    EXPECT_EQ(ModelConfig::from_c(config.to_c(backbone)).to_json(), config.to_json());
  }
  const std::string frames = R"("frames":8)";
  EXPECT_MENTIONS(rejection(with(frames, frames + R"(,"activation":"relu")")),
                  "valid are 'gelu', 'quick_gelu' and 'gelu_tanh'");
  EXPECT_MENTIONS(rejection(with(frames, frames + R"(,"norm_eps":0)")), "norm_eps is 0");
  EXPECT_MENTIONS(rejection(with(frames, frames + R"(,"norm_epz":1e-5)")), "'norm_epz'");
}

TEST(ConfigTest, JsonRoundTrip) {
  ModelConfig config = ModelConfig::named("vit-small");
  config.classes = 2;
  config.labels = {"jump \"high\"", "l\xc3\xa4uft"};
  config.mean[1] = 0.1f;
  config.std[2] = 0.3f;
  config.temporal = ATA_TEMPORAL_SPACE_ONLY;
  config.alignment = ATA_ALIGNMENT_SINKHORN;
  change_vit(config, [](VitConfig& vit) { vit.mlp_ratio = 2.5f; });
  const std::string json = config.to_json();
  const ModelConfig read = ModelConfig::from_json(json, "x");
  EXPECT_EQ(read.to_json(), json);
  EXPECT_EQ(read.labels, config.labels);
  EXPECT_EQ(read.mean[1], 0.1f);
  EXPECT_EQ(read.std[2], 0.3f);
  EXPECT_EQ(read.temporal, ATA_TEMPORAL_SPACE_ONLY);
  EXPECT_EQ(read.alignment, ATA_ALIGNMENT_SINKHORN);
  EXPECT_EQ(vit_config(read).mlp_ratio, 2.5f);
  EXPECT_EQ(json.find("0.4499"), std::string::npos) << "floats are written in their short form";
}

TEST(ConfigTest, NamedArchitectures) {
  const ModelConfig large = ModelConfig::named("vit-large");
  EXPECT_EQ(large.dim(), 1024);
  EXPECT_EQ(large.depth(), 24);
  EXPECT_EQ(vit_config(large).heads, 16);
  for (const char* name : {"vit-tiny", "vit-small", "vit-base"}) {
    EXPECT_EQ(ModelConfig::named(name).dim() / vit_config(ModelConfig::named(name)).heads, 64)
        << name;
  }
  EXPECT_EQ(error_of(ATA_INVALID_ARGUMENT, [] { ModelConfig::named("resnet"); }),
            "architecture is 'resnet'; valid are 'vit-tiny', 'vit-small', 'vit-base' and "
            "'vit-large'");
}

TEST(ConfigTest, RejectsWhatCannotBeAModel) {
  EXPECT_MENTIONS(rejection(with("\"vit\"", "\"mvit\"")), "valid are 'vit'");
  EXPECT_MENTIONS(rejection(with("\"ata\"", "\"at\"")),
                  "'ata', 'divided', 'joint' and 'space_only'");
  EXPECT_MENTIONS(rejection(with("\"exact\"", "3")), "'nearest'");
  EXPECT_MENTIONS(rejection(with(":224", ":225")), "not a multiple of patch_size");
  EXPECT_MENTIONS(rejection(with("\"heads\":12", "\"heads\":11")), "does not divide");
  EXPECT_MENTIONS(rejection(with("\"heads\":12", "\"heads\":0")), "heads is 0");
  EXPECT_MENTIONS(rejection(with("\"depth\":12", "\"depth\":-1")), "depth is -1");
  EXPECT_MENTIONS(rejection(with(":768", ":99999999")), "dim");
  EXPECT_MENTIONS(rejection(with(":768", ":1e30")), "'dim' 1e+30");
  EXPECT_MENTIONS(rejection(with(":768", ":9999999999999")), "'dim' 9999999999999");
  EXPECT_MENTIONS(rejection(with(":768", ":\"768\"")), "'dim' \"768\"");
  EXPECT_MENTIONS(rejection(with("\"dim\":768,", "")), "has no 'dim'");
  EXPECT_MENTIONS(rejection(with("\"dim\":768,", "\"dim\":768,\"dim\":768,")), "twice");
  EXPECT_MENTIONS(rejection(with("_ratio\":4", "_ratio\":0.0001")), "whole number");
  EXPECT_MENTIONS(rejection(with("_ratio\":4", "_ratio\":-4")), "mlp_ratio");
  EXPECT_MENTIONS(rejection(with("_ratio\":4", "_ratio\":1e39")), "'mlp_ratio' 1e+39");
  // No double holds it: the parser itself gives up.
  EXPECT_MENTIONS(rejection(with("_ratio\":4", "_ratio\":1e400")), "'mlp_ratio'");
  EXPECT_MENTIONS(rejection(with("\"frames\":8", "\"frames\":8,\"std\":[1,1e400,1]")), "'std'");
  EXPECT_MENTIONS(rejection(with("\"frames\":8", "\"frames\":8,\"mean\":[1,1e39,1]")), "'mean'");
  EXPECT_MENTIONS(rejection(with("\"frames\":8", "\"frames\":8,\"mean\":[1,2]")), "three numbers");
  EXPECT_MENTIONS(rejection(with("\"frames\":8", "\"frames\":8,\"std\":[1,0,1]")), "std");
  EXPECT_MENTIONS(rejection(with("\"frames\":8", "\"frames\":8,\"labels\":[\"a\"]")),
                  "1 labels for 400 classes");
  EXPECT_MENTIONS(rejection(with("\"frames\":8", "\"frames\":8,\"labels\":[1]")), "strings");
  const std::string zero =
      rejection(with("\"classes\":400", "\"classes\":1,\"labels\":[\"a\\u0000b\"]"));
  EXPECT_MENTIONS(zero, "zero character in 'a\\x00b'");
  // A name must not push the rest of the message out of sight.
  const std::string long_value =
      rejection(with("\"temporal\":\"ata\"", "\"temporal\":\"" + std::string(100'000, 'x') + "\""));
  EXPECT_MENTIONS(long_value, "'divided'");
  EXPECT_LT(long_value.size(), 500u);
  EXPECT_MENTIONS(rejection("{"), "JSON");
  EXPECT_MENTIONS(rejection("[]"), "object");
  EXPECT_MENTIONS(rejection(std::string(1'000'000, '[')), "nested");
}

TEST(ConfigTest, CStructRoundTrip) {
  ModelConfig config = ModelConfig::named("vit-tiny");
  config.frames = 16;
  config.temporal = ATA_TEMPORAL_JOINT;
  const std::string backbone = config.backbone_json();
  EXPECT_EQ(ModelConfig::from_c(config.to_c(backbone)).to_json(), config.to_json());
  ata_model_config wrong = config.to_c(backbone);
  wrong.temporal = static_cast<ata_temporal_mode>(9);
  EXPECT_THROW(ModelConfig::from_c(wrong), Error);
  wrong = config.to_c(backbone);
  wrong.std[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(ModelConfig::from_c(wrong), Error);
}

}  // namespace
}  // namespace ata
