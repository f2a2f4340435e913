#include "train/parameter_groups.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "model/backbones/vit_config.h"
#include "model/network.h"

namespace ata {
namespace {

ModelConfig small_config(int depth = 3) {
  ModelConfig config;
  config.image_size = 32;
  VitConfig vit;
  vit.patch_size = 8;
  vit.width = 16;
  vit.blocks = depth;
  vit.heads = 2;
  set_backbone(config, vit);
  config.frames = 2;
  config.classes = 5;
  return config;
}

// With `norm_pre` too, which only models of CLIP's kind have.
std::vector<ParameterInfo> list_all(const ModelConfig& config) {
  return list_parameters(config, [](const std::string&) { return true; });
}

TEST(ParameterGroups, EveryParameterHasItsKindAndDecay) {
  const ModelConfig config = small_config();
  TrainOptions options;
  options.weight_decay = 0.25f;
  const auto parameters = list_all(config);
  const auto groups = group_parameters(parameters, options);
  ASSERT_EQ(groups.size(), parameters.size());
  std::map<ParameterKind, int> counts;
  for (size_t i = 0; i < groups.size(); ++i) {
    SCOPED_TRACE(parameters[i].name);
    ++counts[parameters[i].kind];
    // The shapes tell matrices and kernels apart from vectors, independently of what is declared.
    const Shape& shape = parameters[i].shape;
    const bool matrix = shape.rank() >= 2 && shape[0] > 1;
    EXPECT_EQ(parameters[i].kind == ParameterKind::kMatrix, matrix);
    EXPECT_EQ(groups[i].weight_decay, matrix ? 0.25 : 0.0);
    EXPECT_EQ(parameters[i].kind == ParameterKind::kEmbedding, shape.rank() == 3 && shape[0] == 1);
  }
  const int depth = config.depth();
  EXPECT_EQ(counts[ParameterKind::kEmbedding], 3);
  EXPECT_EQ(counts[ParameterKind::kMatrix], 7 * depth + 2);
  EXPECT_EQ(counts[ParameterKind::kBias], 7 * depth + 2);
  EXPECT_EQ(counts[ParameterKind::kNorm], 6 * depth + 4);
}

TEST(ParameterGroups, LayerDecayFallsFromTheHeadToTheEmbeddings) {
  const ModelConfig config = small_config();
  TrainOptions options;
  options.layer_decay = 0.5f;
  const auto parameters = list_all(config);
  const auto groups = group_parameters(parameters, options);
  for (size_t i = 0; i < parameters.size(); ++i) {
    SCOPED_TRACE(parameters[i].name);
    double expected = 1.0 / 16.0;
    if (parameters[i].name.starts_with("blocks.")) {
      expected = 1.0 / (8 >> (parameters[i].name[7] - '0'));
    } else if (parameters[i].name.starts_with("head.") || parameters[i].name.starts_with("norm.")) {
      expected = 1.0;
    }
    EXPECT_DOUBLE_EQ(groups[i].rate_scale, expected);
  }
}

TEST(ParameterGroups, NewParametersHaveTheirOwnRate) {
  const ModelConfig config = small_config();
  TrainOptions options;
  options.new_parameter_scale = 10.0f;
  const auto parameters = list_all(config);
  const auto groups = group_parameters(parameters, options);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool is_new = parameters[i].name.find("temporal_") != std::string::npos ||
                        parameters[i].name == "time_embed" ||
                        parameters[i].name.starts_with("head.");
    EXPECT_EQ(groups[i].is_new, is_new) << parameters[i].name;
    EXPECT_EQ(groups[i].rate_scale, is_new ? 10.0 : 1.0) << parameters[i].name;
  }
}

TEST(ParameterGroups, DefaultNewParametersMayBeMissing) {
  const auto groups = group_parameters(
      {{.name = "cls_token", .shape = {1, 1, 4}}, {.name = "norm.weight", .shape = {4}}}, {});
  EXPECT_EQ(groups.size(), 2u);
}

TEST(ParameterGroups, FrozenAndUnmatchedPatterns) {
  const ModelConfig config = small_config();
  const auto parameters = list_all(config);
  TrainOptions options;
  options.frozen = "blocks.0.*,*_embed*";
  const auto groups = group_parameters(parameters, options);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool frozen = parameters[i].name.starts_with("blocks.0.") ||
                        parameters[i].name.find("_embed") != std::string::npos;
    EXPECT_EQ(groups[i].frozen, frozen) << parameters[i].name;
  }
  options.frozen = "blocks.7.*";
  EXPECT_THROW(group_parameters(parameters, options), Error);
  options.frozen = "*";
  EXPECT_THROW(group_parameters(parameters, options), Error);
  options.frozen = "";
  options.new_parameters = "nothing";
  EXPECT_THROW(group_parameters(parameters, options), Error);
}

TEST(TrainOptions, ChecksEveryField) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto rejects = [](auto change) {
    TrainOptions options;
    change(options);
    EXPECT_THROW(options.validate(), Error);
  };
  EXPECT_NO_THROW(TrainOptions().validate());
  rejects([](auto& o) { o.optimizer = static_cast<ata_optimizer>(7); });
  rejects([](auto& o) { o.beta1 = 1.0f; });
  rejects([&](auto& o) { o.beta1 = nan; });
  rejects([](auto& o) { o.beta2 = -0.1f; });
  rejects([](auto& o) { o.epsilon = 0.0f; });
  rejects([](auto& o) { o.momentum = 1.0f; });
  rejects([](auto& o) { o.weight_decay = -1.0f; });
  rejects([](auto& o) { o.layer_decay = 0.0f; });
  rejects([](auto& o) { o.layer_decay = 1.5f; });
  rejects([](auto& o) { o.new_parameter_scale = 0.0f; });
  rejects([&](auto& o) { o.clip_norm = nan; });
  rejects([](auto& o) { o.label_smoothing = 1.0f; });
  rejects([](auto& o) { o.stochastic_depth = 1.0f; });
  rejects([](auto& o) { o.dropout = 1.0f; });
  rejects([](auto& o) { o.ema_decay = 1.0f; });
  rejects([](auto& o) { o.precision = static_cast<ata_precision>(2); });
  rejects([](auto& o) {
    o.optimizer = ATA_OPTIMIZER_SGD;
    o.nesterov = true;
    o.momentum = 0.0f;
  });
}

TEST(TrainOptions, TheCStructCarriesEveryField) {
  TrainOptions options;
  options.optimizer = ATA_OPTIMIZER_SGD;
  options.beta1 = 0.8f;
  options.beta2 = 0.99f;
  options.epsilon = 1e-6f;
  options.momentum = 0.7f;
  options.nesterov = true;
  options.weight_decay = 0.1f;
  options.layer_decay = 0.75f;
  options.new_parameter_scale = 4.0f;
  options.new_parameters = "head.*";
  options.frozen = "cls_token";
  options.clip_norm = 2.0f;
  options.label_smoothing = 0.1f;
  options.stochastic_depth = 0.2f;
  options.dropout = 0.3f;
  options.ema_decay = 0.9f;
  options.precision = ATA_PRECISION_BF16;
  options.recompute = true;
  options.seed = 12345678901234567890u;
  EXPECT_EQ(TrainOptions::from_c(options.to_c()).to_json(), options.to_json());
  EXPECT_NE(TrainOptions().to_json(), options.to_json());
  ata_train_options wrong = options.to_c();
  wrong.recompute = 2;
  EXPECT_THROW(TrainOptions::from_c(wrong), Error);
}

}  // namespace
}  // namespace ata
