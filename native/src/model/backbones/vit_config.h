#ifndef ATA_MODEL_BACKBONES_VIT_CONFIG_H_
#define ATA_MODEL_BACKBONES_VIT_CONFIG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "ata/ata.h"
#include "model/config.h"

namespace ata {

/// The configuration of a vision transformer (Dosovitskiy et al., "An image is worth 16x16 words",
/// 2021); as it stands, ViT-Base's.
struct VitConfig : BackboneConfig {
  /// Height and width of a patch in pixels; divides the frame's.
  int32_t patch_size = 16;
  /// Width of a token; a multiple of `heads`.
  int32_t width = 768;
  int32_t blocks = 12;
  int32_t heads = 12;
  /// Hidden width of the MLP over `width`; `hidden_dim()` must come out integral.
  float mlp_ratio = 4.0f;
  /// Between the two layers of the MLP.
  ata_activation activation = ATA_ACTIVATION_GELU;
  /// Added to the variance in every layer norm.
  float norm_eps = 1e-6f;

  int64_t hidden_dim() const;

  const char* architecture() const override { return "vit"; }
  int32_t dim() const override { return width; }
  int32_t depth() const override { return blocks; }
  int32_t grid(int32_t image_size) const override { return image_size / patch_size; }
  void read(ConfigFields& fields) override;
  void write(nlohmann::ordered_json& json) const override;
  void check(const ConfigCheck& check, const ModelConfig& config) const override;
  std::unique_ptr<const Backbone> build(const ModelConfig& config,
                                        ParameterWalk& walk) const override;
  Tensor resample(const std::string& name, const Tensor& parameter, const ModelConfig& stored,
                  const ModelConfig& target, Resampling resampling) const override;
};

/// The backbone of a configuration whose architecture is "vit"; ATA_UNSUPPORTED for another.
const VitConfig& vit_config(const ModelConfig& config);
/// Gives a configuration that backbone.
void set_backbone(ModelConfig& config, const VitConfig& vit);

Architecture vit_architecture();

/// "gelu", "quick_gelu" or "gelu_tanh".
const char* activation_name(ata_activation activation);

}  // namespace ata

#endif  // ATA_MODEL_BACKBONES_VIT_CONFIG_H_
