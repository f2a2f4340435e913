// Imports small checkpoints that the original libraries wrote (tests/import/make_references.py) and
// compares what comes out with what the originals' own networks computed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "fixture.h"
#include "model/import.h"
#include "model/session.h"
#include "model/tensor_source.h"

namespace ata {
namespace {

// Two implementations add in different orders; what is measured is about 1e-6.
constexpr double kTolerance = 1e-4;
// Of a head that the original lacks.
constexpr int32_t kNewClasses = 7;

constexpr float kHalf = 0.5f;
constexpr float kImageNetMean = 0.485f;
constexpr float kClipMean = 0.48145466f;
constexpr float kTimeSformerMean = 0.45f;

std::string data(const std::string& path) {
  return test_data("import/" + path);
}

const TensorFile& references() {
  static const TensorFile file(data("references.safetensors"));
  return file;
}

struct Reference {
  // Of tests/data/import; the file in it, where none is the checkpoint of a folder.
  const char* folder;
  const char* file;
  // 0 where configuration files say.
  int32_t heads;
  // Of the first channel, as the original's pixels are normalised.
  float mean;
  ata_temporal_mode temporal = ATA_TEMPORAL_SPACE_ONLY;
  // What a user must say because the file does not.
  const char* key = "";
  // For files whose family normalises in several ways.
  bool says_normalization = false;
  bool quick_gelu = false;
};

void PrintTo(const Reference& reference, std::ostream* out) {
  *out << reference.folder;
}

constexpr Reference kReferences[] = {
    {"timm_augreg", "", 0, kHalf},
    {"timm_dino", "", 0, kImageNetMean},
    {"timm_deit3", "", 0, kImageNetMean},
    {"timm_dinov2", "", 0, kImageNetMean},
    {.folder = "timm_clip_quickgelu",
     .file = "",
     .heads = 0,
     .mean = kClipMean,
     .quick_gelu = true},
    {.folder = "dino_official",
     .file = "checkpoint.pth",
     .heads = 2,
     .mean = kImageNetMean,
     .key = "teacher"},
    {.folder = "deit",
     .file = "deit_tiny.pth",
     .heads = 2,
     .mean = kImageNetMean,
     .says_normalization = true},
    {"deit3_official", "deit_3_small.pth", 2, kImageNetMean},
    {"mae_official", "mae_pretrain_vit_base.pth", 2, kImageNetMean},
    {"dinov2_official", "dinov2_vits14_pretrain.pth", 2, kImageNetMean},
    {"hf_vit", "", 0, kHalf},
    {"hf_vit_sharded", "", 0, kHalf},
    {"hf_vit_memory", "", 0, kHalf},
    {"hf_vit_mae", "", 0, kImageNetMean},
    {"hf_dinov2", "", 0, kImageNetMean},
    {"hf_timesformer_divided", "", 0, kTimeSformerMean, ATA_TEMPORAL_DIVIDED},
    {"hf_timesformer_joint", "", 0, kTimeSformerMean, ATA_TEMPORAL_JOINT},
    {"hf_timesformer_space_only", "", 0, kTimeSformerMean},
    {"timesformer_divided", "TimeSformer.pyth", 2, kTimeSformerMean, ATA_TEMPORAL_DIVIDED},
    {"timesformer_joint", "TimeSformer.pyth", 2, kTimeSformerMean, ATA_TEMPORAL_JOINT},
    {"timesformer_space_only", "TimeSformer.pyth", 2, kTimeSformerMean},
    {.folder = "hf_clip_vision", .file = "", .heads = 0, .mean = kClipMean, .quick_gelu = true},
    {"hf_clip_gelu", "", 0, kClipMean},
    {"hf_clip_vision_old", "", 0, kClipMean},
    {.folder = "hf_clip", .file = "", .heads = 0, .mean = kClipMean, .quick_gelu = true},
    {.folder = "clip_openai",
     .file = "ViT-B-32.pt",
     .heads = 2,
     .mean = kClipMean,
     .quick_gelu = true},
    {"open_clip", "open_clip_model.safetensors", 0, kClipMean},
    {"open_clip_layer_scale", "open_clip_model.safetensors", 0, kClipMean},
    {.folder = "open_clip_training",
     .file = "epoch_32.pt",
     .heads = 2,
     .mean = kClipMean,
     .quick_gelu = true},
};

class ImportReferenceTest : public testing::TestWithParam<Reference> {};

ImportOptions options_of(const Reference& reference) {
  ImportOptions options;
  options.heads = reference.heads;
  options.key = reference.key;
  const bool is_video = std::string(reference.folder).find("timesformer") != std::string::npos;
  // A TimeSformer of images alone has timm's names.
  if (std::string(reference.folder) == "timesformer_space_only") {
    options.source = ATA_CHECKPOINT_TIMESFORMER;
  }
  if (is_video) {
    options.frames = static_cast<int32_t>(references().dims("clip")[1]);
  } else {
    options.temporal = ATA_TEMPORAL_SPACE_ONLY;
    options.frames = 1;
  }
  if (reference.says_normalization) options.normalization = kImageNet;
  // A file of CLIP alone does not tell its activation.
  if (reference.quick_gelu && reference.heads != 0) {
    options.activation = ATA_ACTIVATION_QUICK_GELU;
  }
  if (!references().contains(concat(reference.folder, "/logits"))) options.classes = kNewClasses;
  return options;
}

// What the model's head makes of the original's features.
std::vector<double> head_of(const Model& model, const Tensor& features) {
  const Tensor& weight = model.parameters().tensor("head.weight");
  const Tensor& bias = model.parameters().tensor("head.bias");
  std::vector<double> logits;
  for (int64_t c = 0; c < weight.dim(0); ++c) {
    double sum = bias.data<float>()[c];
    for (int64_t i = 0; i < weight.dim(1); ++i) {
      sum += static_cast<double>(weight.data<float>()[c * weight.dim(1) + i]) *
             static_cast<double>(features.data<float>()[i]);
    }
    logits.push_back(sum);
  }
  return logits;
}

TEST_P(ImportReferenceTest, ComputesWhatTheOriginalComputed) {
  const Reference& reference = GetParam();
  const std::string file = *reference.file ? concat("/", reference.file) : std::string();
  const ImportedModel imported =
      import_checkpoint(data(reference.folder + file), options_of(reference));
  const ModelConfig& config = imported.model->config();
  EXPECT_EQ(config.temporal, reference.temporal);
  EXPECT_EQ(vit_config(config).heads, 2);
  EXPECT_EQ(config.depth(), 2);
  EXPECT_NEAR(config.mean[0], reference.mean, 1e-6);

  const bool is_video = config.frames > 1;
  const Tensor pixels = references().get_f32(is_video ? "clip" : "image");
  const Tensor clip = pixels.reshape({1, 3, config.frames, config.image_size, config.image_size});
  const Tensor logits = Session(imported.model).forward(clip);

  const Tensor features = references().get_f32(concat(reference.folder, "/features"));
  std::vector<double> expected = head_of(*imported.model, features);
  const std::string name = concat(reference.folder, "/logits");
  if (references().contains(name)) {
    const Tensor original = references().get_f32(name);
    ASSERT_EQ(original.count(), static_cast<int64_t>(expected.size()));
    for (int64_t i = 0; i < original.count(); ++i) {
      EXPECT_NEAR(original.data<float>()[i], expected[static_cast<size_t>(i)], kTolerance);
    }
  }
  ASSERT_EQ(logits.count(), static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < logits.count(); ++i) {
    EXPECT_NEAR(logits.data<float>()[i], expected[static_cast<size_t>(i)], kTolerance) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ImportReferenceTest, testing::ValuesIn(kReferences),
                         [](const auto& tried) { return std::string(tried.param.folder); });

struct Refusal {
  const char* path;
  // What the error names.
  const char* part;
};

TEST(ImportRefusalTest, NetworksThatCannotBeExpressedAreNamed) {
  const Refusal refusals[] = {
      {"timm_dinov2_registers", "reg_token"},
      {"dinov2_official_registers/dinov2_vits14_reg4_pretrain.pth", "register_tokens"},
      {"hf_dinov2_registers", "register_tokens"},
      {"timm_dinov2_giant", "SwiGLU"},
      {"dinov2_official_giant/dinov2_vitg14_pretrain.pth", "SwiGLU"},
      {"timm_average_pool", "fc_norm"},
      {"deit_distilled/deit_distilled.pth", "dist"},
      {"hf_dinov2_classifier", "classifier"},
      {"hf_videomae", "VideoMAE"},
      {"hf_siglip", "SigLIP"},
      {"open_clip_attention_pool/open_clip_model.safetensors", "attn_pool"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.path);
    ImportOptions options;
    options.heads = 2;
    options.normalization = kImageNet;
    const std::string message =
        error_of(ATA_BAD_MODEL, [&] { import_checkpoint(data(refusal.path), options); });
    EXPECT_MENTIONS(message, refusal.part);
  }
}

// The table above and the files must not drift apart.
TEST(ImportRefusalTest, EveryReferenceIsTried) {
  std::vector<std::string> folders;
  for (const Reference& reference : kReferences) folders.push_back(reference.folder);
  for (size_t i = 0; i < references().count(); ++i) {
    const std::string& name = references().name(i);
    const size_t slash = name.find("/features");
    if (slash == std::string::npos) continue;
    const std::string folder = name.substr(0, slash);
    const bool is_refused =
        folder.find("registers") != std::string::npos || folder == "hf_dinov2_classifier";
    EXPECT_EQ(std::count(folders.begin(), folders.end(), folder), is_refused ? 0 : 1) << folder;
  }
}

}  // namespace
}  // namespace ata
