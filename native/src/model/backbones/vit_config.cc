#include "model/backbones/vit_config.h"

#include <cmath>
#include <iterator>

#include "model/backbones/vit.h"
#include "model/config_fields.h"
#include "ops/cpu_device.h"

namespace ata {
namespace {

// In the order of the C API's enumeration.
constexpr const char* kActivations[] = {"gelu", "quick_gelu", "gelu_tanh"};

// With the limits of ata.h (ATA_MAX_DIM and the others), this keeps every product of extents far
// from overflow and a lying file from asking for absurd amounts of memory.
constexpr double kMaxMlpRatio = 64.0;
constexpr float kMinNormEps = 1e-15f;
constexpr float kMaxNormEps = 1.0f;

std::shared_ptr<BackboneConfig> sized(int32_t width, int32_t blocks, int32_t heads) {
  auto config = std::make_shared<VitConfig>();
  config->width = width;
  config->blocks = blocks;
  config->heads = heads;
  return config;
}

}  // namespace

const char* activation_name(ata_activation activation) {
  require(activation >= 0 && activation < static_cast<int32_t>(std::size(kActivations)),
          "activation ", static_cast<int32_t>(activation), " is not one of ata_activation");
  return kActivations[activation];
}

int64_t VitConfig::hidden_dim() const {
  return std::llround(static_cast<double>(width) * mlp_ratio);
}

void VitConfig::read(ConfigFields& fields) {
  fields.required("patch_size", &patch_size);
  fields.required("dim", &width);
  fields.required("depth", &blocks);
  fields.required("heads", &heads);
  fields.optional("mlp_ratio", &mlp_ratio);
  if (fields.has("activation")) {
    activation = static_cast<ata_activation>(fields.choice("activation", kActivations));
  }
  fields.optional("norm_eps", &norm_eps);
}

void VitConfig::write(nlohmann::ordered_json& json) const {
  json["patch_size"] = patch_size;
  json["dim"] = width;
  json["depth"] = blocks;
  json["heads"] = heads;
  json["mlp_ratio"] = shortest_decimal(mlp_ratio);
  // What a checkpoint says only when it differs from the usual.
  const VitConfig usual;
  if (activation != usual.activation) json["activation"] = activation_name(activation);
  if (norm_eps != usual.norm_eps) json["norm_eps"] = shortest_decimal(norm_eps);
}

void VitConfig::check(const ConfigCheck& check, const ModelConfig& config) const {
  check.range("patch_size", patch_size, ATA_MAX_IMAGE_SIZE);
  check.range("dim", width, ATA_MAX_DIM);
  check.range("depth", blocks, ATA_MAX_DEPTH);
  check.range("heads", heads, ATA_MAX_DIM);
  check.require(config.image_size % patch_size == 0, "image_size is ", config.image_size,
                ", not a multiple of patch_size, which is ", patch_size);
  check.require(width % heads == 0, "heads is ", heads, ", which does not divide dim, which is ",
                width);
  check.require(mlp_ratio > 0 && mlp_ratio <= kMaxMlpRatio, "mlp_ratio is ", mlp_ratio,
                "; it must be above 0 and at most ", kMaxMlpRatio);
  const double hidden = static_cast<double>(width) * mlp_ratio;
  check.require(hidden_dim() >= 1 && std::abs(hidden - std::round(hidden)) < 1e-3 * hidden,
                "mlp_ratio is ", mlp_ratio, "; times dim, which is ", width,
                ", it is not a whole number");
  activation_name(activation);
  check.require(norm_eps >= kMinNormEps && norm_eps <= kMaxNormEps, "norm_eps is ", norm_eps,
                "; it must be ", kMinNormEps, " to ", kMaxNormEps);
}

std::unique_ptr<const Backbone> VitConfig::build(const ModelConfig& config,
                                                 ParameterWalk& walk) const {
  return std::make_unique<Vit>(*this, config, walk);
}

Tensor VitConfig::resample(const std::string& name, const Tensor& parameter,
                           const ModelConfig& stored, const ModelConfig& target,
                           Resampling resampling) const {
  const Context context = make_context(cpu_device());
  if (name == "pos_embed") {
    return resample_positions(context, Variable(parameter), stored.grid(), stored.grid(),
                              target.grid(), target.grid(), resampling)
        .value();
  }
  if (name == "time_embed") {
    return resample_times(context, Variable(parameter), target.frames).value();
  }
  return parameter;
}

const VitConfig& vit_config(const ModelConfig& config) {
  const auto* vit = dynamic_cast<const VitConfig*>(config.backbone.get());
  if (vit == nullptr) {
    fail(ATA_UNSUPPORTED, "a model of architecture '", config.backbone->architecture(),
         "' is not a vision transformer ('vit')");
  }
  return *vit;
}

void set_backbone(ModelConfig& config, const VitConfig& vit) {
  config.backbone = std::make_shared<VitConfig>(vit);
}

Architecture vit_architecture() {
  return {.name = "vit",
          .make = [] { return std::make_shared<VitConfig>(); },
          .sizes = {{"vit-tiny", [] { return sized(192, 12, 3); }},
                    {"vit-small", [] { return sized(384, 12, 6); }},
                    {"vit-base", [] { return sized(768, 12, 12); }},
                    {"vit-large", [] { return sized(1024, 24, 16); }}}};
}

}  // namespace ata
