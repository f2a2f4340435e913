#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/error.h"
#include "model/config_fields.h"

namespace ata {
namespace {

// In the order of the C API's enumerations.
constexpr const char* kTemporalModes[] = {"ata", "divided", "joint", "space_only"};
constexpr const char* kAlignments[] = {"exact", "none", "nearest", "window", "sinkhorn", "soft"};

}  // namespace

const char* temporal_mode_name(ata_temporal_mode mode) {
  require(mode >= 0 && mode < static_cast<int32_t>(std::size(kTemporalModes)), "temporal mode ",
          static_cast<int32_t>(mode), " is not one of ata_temporal_mode");
  return kTemporalModes[mode];
}

const char* alignment_name(ata_alignment alignment) {
  require(alignment >= 0 && alignment < static_cast<int32_t>(std::size(kAlignments)), "alignment ",
          static_cast<int32_t>(alignment), " is not one of ata_alignment");
  return kAlignments[alignment];
}

void ModelConfig::validate(ata_status status, const std::string& origin) const {
  const ConfigCheck check(status, origin);
  check.range("image_size", image_size, ATA_MAX_IMAGE_SIZE);
  check.range("frames", frames, ATA_MAX_FRAMES);
  check.range("classes", classes, ATA_MAX_CLASSES);
  backbone->check(check, *this);
  temporal_mode_name(temporal);
  alignment_name(alignment);
  check.range("align_every", align_every, ATA_MAX_DEPTH);
  check.require(alignment != ATA_ALIGNMENT_SOFT || align_every == 1, "align_every is ", align_every,
                ", but alignment 'soft' has no trajectories to reuse; it must be 1");
  check.require(window_radius >= 0 && window_radius <= ATA_MAX_IMAGE_SIZE, "window_radius is ",
                window_radius, "; it must be 0 to ", ATA_MAX_IMAGE_SIZE);
  check.require(std::isfinite(temperature) && temperature >= 1e-6f, "temperature is ", temperature,
                "; it must be at least 1e-6");
  check.range("iterations", iterations, ATA_MAX_ITERATIONS);
  for (int channel = 0; channel < 3; ++channel) {
    check.require(std::isfinite(mean[channel]), "mean[", channel, "] is ", mean[channel],
                  "; it must be a finite number");
    check.require(std::isfinite(std[channel]) && std[channel] > 0, "std[", channel, "] is ",
                  std[channel], "; it must be above 0");
  }
  check.require(labels.empty() || labels.size() == static_cast<size_t>(classes), "there are ",
                labels.size(), " labels for ", classes, " classes");
}

std::string ModelConfig::to_json() const {
  const auto decimals = [](const float(&values)[3]) {
    return nlohmann::ordered_json{shortest_decimal(values[0]), shortest_decimal(values[1]),
                                  shortest_decimal(values[2])};
  };
  nlohmann::ordered_json json = {{"architecture", backbone->architecture()},
                                 {"image_size", image_size}};
  backbone->write(json);
  json["frames"] = frames;
  json["classes"] = classes;
  json["temporal"] = temporal_mode_name(temporal);
  json["alignment"] = alignment_name(alignment);
  json["mean"] = decimals(mean);
  json["std"] = decimals(std);
  // What a checkpoint says only when it differs from the usual.
  const ModelConfig usual;
  if (align_every != usual.align_every) json["align_every"] = align_every;
  if (window_radius != usual.window_radius) json["window_radius"] = window_radius;
  if (temperature != usual.temperature) json["temperature"] = shortest_decimal(temperature);
  if (iterations != usual.iterations) json["iterations"] = iterations;
  if (!labels.empty()) json["labels"] = labels;
  try {
    return json.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ATA_INVALID_ARGUMENT, "a label is not valid UTF-8");
  }
}

ModelConfig ModelConfig::from_json(const std::string& text, const std::string& origin) {
  const nlohmann::json json = parse_config(text, ATA_BAD_MODEL, origin);
  ConfigFields fields(json, ATA_BAD_MODEL, origin);
  const std::vector<const char*> architectures = architecture_names();
  const int32_t architecture = fields.choice("architecture", architectures);
  ModelConfig config;
  const auto backbone = new_backbone_config(architectures[static_cast<size_t>(architecture)]);
  fields.required("image_size", &config.image_size);
  backbone->read(fields);
  config.backbone = backbone;
  fields.required("frames", &config.frames);
  fields.required("classes", &config.classes);
  config.temporal = static_cast<ata_temporal_mode>(fields.choice("temporal", kTemporalModes));
  if (fields.has("alignment")) {
    config.alignment = static_cast<ata_alignment>(fields.choice("alignment", kAlignments));
  }
  fields.optional("align_every", &config.align_every);
  fields.optional("window_radius", &config.window_radius);
  fields.optional("temperature", &config.temperature);
  fields.optional("iterations", &config.iterations);
  fields.optional_channels("mean", config.mean);
  fields.optional_channels("std", config.std);
  fields.optional("labels", &config.labels);
  fields.check_unknown();
  config.validate(ATA_BAD_MODEL, origin);
  return config;
}

ModelConfig ModelConfig::named(const std::string& name) {
  ModelConfig config;
  config.backbone = named_backbone_config(name);
  return config;
}

std::string ModelConfig::backbone_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  backbone->write(json);
  return json.dump();
}

ata_model_config ModelConfig::to_c(const std::string& backbone_json) const {
  ata_model_config result = {};
  result.struct_size = sizeof(result);
  result.architecture = backbone->architecture();
  result.backbone = backbone_json.c_str();
  result.image_size = image_size;
  result.frames = frames;
  result.classes = classes;
  result.temporal = temporal;
  result.alignment = alignment;
  result.align_every = align_every;
  result.window_radius = window_radius;
  result.temperature = temperature;
  result.iterations = iterations;
  std::copy(std::begin(mean), std::end(mean), result.mean);
  std::copy(std::begin(std), std::end(std), result.std);
  return result;
}

ModelConfig ModelConfig::from_c(const ata_model_config& config) {
  const std::string origin = "ata_model_config";
  require(config.architecture != nullptr, origin,
          ".architecture is NULL; begin with ata_model_config_init()");
  const auto backbone = new_backbone_config(config.architecture);
  if (config.backbone != nullptr) {
    const std::string part = origin + ".backbone";
    const nlohmann::json json = parse_config(config.backbone, ATA_INVALID_ARGUMENT, part);
    ConfigFields fields(json, ATA_INVALID_ARGUMENT, part);
    backbone->read(fields);
    fields.check_unknown();
  }
  ModelConfig result;
  result.backbone = backbone;
  result.image_size = config.image_size;
  result.frames = config.frames;
  result.classes = config.classes;
  result.temporal = config.temporal;
  result.alignment = config.alignment;
  result.align_every = config.align_every;
  result.window_radius = config.window_radius;
  result.temperature = config.temperature;
  result.iterations = config.iterations;
  std::copy(std::begin(config.mean), std::end(config.mean), result.mean);
  std::copy(std::begin(config.std), std::end(config.std), result.std);
  result.validate(ATA_INVALID_ARGUMENT, "model configuration");
  return result;
}

}  // namespace ata
