#include "small_model.h"

#include <cstring>

#include "base/random.h"
#include "model/backbones/vit_config.h"
#include "support/scratch.h"

namespace ata {
namespace {

constexpr int kFrames = 3;

ModelConfig config_of(const SmallModel& what) {
  ModelConfig config;
  VitConfig vit;
  vit.patch_size = 8;
  vit.width = 32;
  vit.blocks = 2;
  vit.heads = 2;
  set_backbone(config, vit);
  config.image_size = what.pixels;
  config.frames = kFrames;
  config.classes = 5;
  config.temporal = what.temporal;
  config.alignment = what.alignment;
  config.window_radius = 1;
  config.iterations = 5;
  return config;
}

constexpr uint64_t kSeed = 7;

}  // namespace

std::shared_ptr<const Model> load_small(const SmallModel& what, Device& device) {
  const Scratch scratch;
  const std::string path = scratch.path("model.safetensors");
  Model::create(config_of(what), kSeed)->save(path);
  ModelOptions options;
  options.precision = what.precision;
  options.device = &device;
  return Model::load(path, options);
}

std::shared_ptr<Model> trainable_small(const SmallModel& what, Device& device) {
  const auto model = Model::create(config_of(what), kSeed);
  return std::make_shared<Model>(model->config(), model->parameters(), device);
}

Tensor small_clip(int64_t batch, uint64_t seed, int pixels) {
  Tensor clip({batch, 3, kFrames, pixels, pixels}, DType::kF32);
  Random random(seed);
  for (int64_t i = 0; i < clip.count(); ++i) clip.data<float>()[i] = random.normal();
  return clip;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace ata
