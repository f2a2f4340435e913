#include "model/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace ata {
namespace {

// In the order of the C API's enumerations.
constexpr const char* kTemporalModes[] = {"ata", "divided", "joint", "space_only"};
constexpr const char* kAlignments[] = {"exact", "none", "nearest", "window", "sinkhorn", "soft"};

constexpr const char* kActivations[] = {"gelu", "quick_gelu", "gelu_tanh"};

struct Architecture {
  const char* name;
  int32_t dim;
  int32_t depth;
  int32_t heads;
};
constexpr Architecture kArchitectures[] = {{"vit-tiny", 192, 12, 3},
                                           {"vit-small", 384, 12, 6},
                                           {"vit-base", 768, 12, 12},
                                           {"vit-large", 1024, 24, 16}};

// With the limits of ata.h (ATA_MAX_DIM and the others), this keeps every product of extents far
// from overflow and a lying file from asking for absurd amounts of memory.
constexpr double kMaxMlpRatio = 64.0;
constexpr float kMinNormEps = 1e-15f;
constexpr float kMaxNormEps = 1.0f;

template <size_t count>
int32_t index_of(const char* const (&names)[count], const std::string& name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  return found == std::end(names) ? -1 : static_cast<int32_t>(found - std::begin(names));
}

std::string quoted_list(const char* const* names, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i) {
    list += concat(i == 0 ? "" : i + 1 == count ? " and " : ", ", "'", names[i], "'");
  }
  return list;
}

// A value as it stands in the file, shortened.
std::string text_of(const nlohmann::json& value) {
  return shown(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// Reads the members of one configuration, naming what is wrong with each.
class Fields {
 public:
  Fields(const nlohmann::json& json, const std::string& origin) : json_(json), origin_(origin) {}

  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(ATA_BAD_MODEL, origin_, ": the model configuration ", args...);
  }

  const nlohmann::json* find(const char* name) {
    known_.insert(name);
    const auto found = json_.find(name);
    return found == json_.end() ? nullptr : &*found;
  }

  void required(const char* name, int32_t* value) {
    if (find(name) == nullptr) bad("has no '", name, "'");
    optional(name, value);
  }

  void optional(const char* name, int32_t* value) {
    const nlohmann::json* field = find(name);
    if (field == nullptr) return;
    if (!field->is_number_integer() || *field < INT32_MIN || *field > INT32_MAX) {
      bad("has '", name, "' ", text_of(*field), "; it must be a whole number of 32 bits");
    }
    *value = field->get<int32_t>();
  }

  // One of `names`; required.
  template <size_t count>
  int32_t choice(const char* name, const char* const (&names)[count]) {
    const nlohmann::json* field = find(name);
    if (field == nullptr) bad("has no '", name, "'");
    const int32_t index =
        field->is_string() ? index_of(names, field->get_ref<const std::string&>()) : -1;
    if (index < 0) {
      bad("has '", name, "' ", text_of(*field), "; valid are ", quoted_list(names, count));
    }
    return index;
  }

  void optional(const char* name, float* value) {
    const nlohmann::json* field = find(name);
    if (field == nullptr) return;
    *value = real(name, *field);
  }

  void optional_channels(const char* name, float (&values)[3]) {
    const nlohmann::json* field = find(name);
    if (field == nullptr) return;
    if (!field->is_array() || field->size() != 3) {
      bad("has '", name, "' ", text_of(*field), "; it must be a list of three numbers");
    }
    for (size_t i = 0; i < 3; ++i) values[i] = real(name, (*field)[i]);
  }

  void optional(const char* name, std::vector<std::string>* values) {
    const nlohmann::json* field = find(name);
    if (field == nullptr || field->is_null()) return;
    const bool strings = field->is_array() &&
                         std::all_of(field->begin(), field->end(),
                                     [](const nlohmann::json& value) { return value.is_string(); });
    if (!strings) bad("has '", name, "' ", text_of(*field), "; it must be a list of strings");
    *values = field->get<std::vector<std::string>>();
    for (const std::string& value : *values) {
      // Where C would end it.
      if (value.find('\0') != std::string::npos) {
        bad("has '", name, "' with a zero character in '", shown(value), "'");
      }
    }
  }

  // A misspelt optional field, or one of a later version, says how to compute.
  void check_unknown() const {
    for (const auto& [name, value] : json_.items()) {
      if (known_.count(name) == 0) {
        bad("has '", shown(name), "', which this version does not know");
      }
    }
  }

 private:
  // A number that a float holds.
  float real(const char* name, const nlohmann::json& value) const {
    const double number = value.is_number() ? value.get<double>() : HUGE_VAL;
    if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
      bad("has '", name, "' ", text_of(value), "; it must be a number of at most 3.4e38");
    }
    return static_cast<float>(number);
  }

  const nlohmann::json& json_;
  const std::string& origin_;
  std::set<std::string> known_;
};

nlohmann::json parse(const std::string& text, const std::string& origin) {
  std::set<std::string> keys;
  std::string field;
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth > 8) fail(ATA_BAD_MODEL, origin, ": the model configuration is nested too deeply");
    if (event == nlohmann::json::parse_event_t::key && depth == 1) {
      field = value.get<std::string>();
      if (!keys.insert(field).second) {
        fail(ATA_BAD_MODEL, origin, ": the model configuration has '", shown(field), "' twice");
      }
    }
    return true;
  };
  try {
    nlohmann::json json = nlohmann::json::parse(text, check);
    if (!json.is_object()) {
      fail(ATA_BAD_MODEL, origin, ": the model configuration is not a JSON object");
    }
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    fail(ATA_BAD_MODEL, origin, ": the model configuration is not valid JSON (near byte ",
         error.byte, ")");
  } catch (const nlohmann::json::out_of_range&) {
    // The parser's word for a number that no double holds.
    fail(ATA_BAD_MODEL, origin, ": the model configuration has '", shown(field),
         "' with a number that is too large");
  }
}

// The shortest decimal that reads back as the same float: 0.45, not 0.44999998807907104.
double decimal(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof(text), value);
  double result = 0;
  std::from_chars(text, written.ptr, result);
  return result;
}

}  // namespace

const char* temporal_mode_name(ata_temporal_mode mode) {
  require(mode >= 0 && mode < static_cast<int32_t>(std::size(kTemporalModes)), "temporal mode ",
          static_cast<int32_t>(mode), " is not one of ata_temporal_mode");
  return kTemporalModes[mode];
}

const char* activation_name(ata_activation activation) {
  require(activation >= 0 && activation < static_cast<int32_t>(std::size(kActivations)),
          "activation ", static_cast<int32_t>(activation), " is not one of ata_activation");
  return kActivations[activation];
}

const char* alignment_name(ata_alignment alignment) {
  require(alignment >= 0 && alignment < static_cast<int32_t>(std::size(kAlignments)), "alignment ",
          static_cast<int32_t>(alignment), " is not one of ata_alignment");
  return kAlignments[alignment];
}

int64_t ModelConfig::hidden_dim() const {
  return std::llround(static_cast<double>(dim) * mlp_ratio);
}

void ModelConfig::validate(ata_status status, const std::string& origin) const {
  const auto check = [&](bool condition, const auto&... args) {
    if (!condition) fail(status, origin, ": ", args...);
  };
  const auto check_range = [&](const char* name, int32_t value, int32_t largest) {
    check(value >= 1 && value <= largest, name, " is ", value, "; it must be 1 to ", largest);
  };
  check_range("image_size", image_size, ATA_MAX_IMAGE_SIZE);
  check_range("patch_size", patch_size, ATA_MAX_IMAGE_SIZE);
  check_range("dim", dim, ATA_MAX_DIM);
  check_range("depth", depth, ATA_MAX_DEPTH);
  check_range("heads", heads, ATA_MAX_DIM);
  check_range("frames", frames, ATA_MAX_FRAMES);
  check_range("classes", classes, ATA_MAX_CLASSES);
  check(image_size % patch_size == 0, "image_size is ", image_size,
        ", not a multiple of patch_size, which is ", patch_size);
  check(dim % heads == 0, "heads is ", heads, ", which does not divide dim, which is ", dim);
  check(mlp_ratio > 0 && mlp_ratio <= kMaxMlpRatio, "mlp_ratio is ", mlp_ratio,
        "; it must be above 0 and at most ", kMaxMlpRatio);
  const double hidden = static_cast<double>(dim) * mlp_ratio;
  check(hidden_dim() >= 1 && std::abs(hidden - std::round(hidden)) < 1e-3 * hidden, "mlp_ratio is ",
        mlp_ratio, "; times dim, which is ", dim, ", it is not a whole number");
  activation_name(activation);
  check(norm_eps >= kMinNormEps && norm_eps <= kMaxNormEps, "norm_eps is ", norm_eps,
        "; it must be ", kMinNormEps, " to ", kMaxNormEps);
  temporal_mode_name(temporal);
  alignment_name(alignment);
  check_range("align_every", align_every, ATA_MAX_DEPTH);
  check(alignment != ATA_ALIGNMENT_SOFT || align_every == 1, "align_every is ", align_every,
        ", but alignment 'soft' has no trajectories to reuse; it must be 1");
  check(window_radius >= 0 && window_radius <= ATA_MAX_IMAGE_SIZE, "window_radius is ",
        window_radius, "; it must be 0 to ", ATA_MAX_IMAGE_SIZE);
  check(std::isfinite(temperature) && temperature >= 1e-6f, "temperature is ", temperature,
        "; it must be at least 1e-6");
  check_range("iterations", iterations, ATA_MAX_ITERATIONS);
  for (int channel = 0; channel < 3; ++channel) {
    check(std::isfinite(mean[channel]), "mean[", channel, "] is ", mean[channel],
          "; it must be a finite number");
    check(std::isfinite(std[channel]) && std[channel] > 0, "std[", channel, "] is ", std[channel],
          "; it must be above 0");
  }
  check(labels.empty() || labels.size() == static_cast<size_t>(classes), "there are ",
        labels.size(), " labels for ", classes, " classes");
}

std::string ModelConfig::to_json() const {
  nlohmann::ordered_json json = {{"architecture", "vit"},
                                 {"image_size", image_size},
                                 {"patch_size", patch_size},
                                 {"dim", dim},
                                 {"depth", depth},
                                 {"heads", heads},
                                 {"mlp_ratio", decimal(mlp_ratio)},
                                 {"frames", frames},
                                 {"classes", classes},
                                 {"temporal", temporal_mode_name(temporal)},
                                 {"alignment", alignment_name(alignment)},
                                 {"mean", {decimal(mean[0]), decimal(mean[1]), decimal(mean[2])}},
                                 {"std", {decimal(std[0]), decimal(std[1]), decimal(std[2])}}};
  // What a checkpoint says only when it differs from the usual.
  const ModelConfig usual;
  if (activation != usual.activation) json["activation"] = activation_name(activation);
  if (norm_eps != usual.norm_eps) json["norm_eps"] = decimal(norm_eps);
  if (align_every != usual.align_every) json["align_every"] = align_every;
  if (window_radius != usual.window_radius) json["window_radius"] = window_radius;
  if (temperature != usual.temperature) json["temperature"] = decimal(temperature);
  if (iterations != usual.iterations) json["iterations"] = iterations;
  if (!labels.empty()) json["labels"] = labels;
  try {
    return json.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ATA_INVALID_ARGUMENT, "a label is not valid UTF-8");
  }
}

ModelConfig ModelConfig::from_json(const std::string& text, const std::string& origin) {
  const nlohmann::json json = parse(text, origin);
  Fields fields(json, origin);
  constexpr const char* kKnownArchitectures[] = {"vit"};
  fields.choice("architecture", kKnownArchitectures);
  ModelConfig config;
  fields.required("image_size", &config.image_size);
  fields.required("patch_size", &config.patch_size);
  fields.required("dim", &config.dim);
  fields.required("depth", &config.depth);
  fields.required("heads", &config.heads);
  fields.optional("mlp_ratio", &config.mlp_ratio);
  fields.required("frames", &config.frames);
  fields.required("classes", &config.classes);
  config.temporal = static_cast<ata_temporal_mode>(fields.choice("temporal", kTemporalModes));
  if (fields.find("alignment") != nullptr) {
    config.alignment = static_cast<ata_alignment>(fields.choice("alignment", kAlignments));
  }
  if (fields.find("activation") != nullptr) {
    config.activation = static_cast<ata_activation>(fields.choice("activation", kActivations));
  }
  fields.optional("norm_eps", &config.norm_eps);
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

ModelConfig ModelConfig::named(const std::string& architecture) {
  std::vector<const char*> names;
  for (const Architecture& known : kArchitectures) {
    if (architecture == known.name) {
      ModelConfig config;
      config.dim = known.dim;
      config.depth = known.depth;
      config.heads = known.heads;
      return config;
    }
    names.push_back(known.name);
  }
  fail(ATA_INVALID_ARGUMENT, "architecture is '", shown(architecture), "'; valid are ",
       quoted_list(names.data(), names.size()));
}

ata_model_config ModelConfig::to_c() const {
  ata_model_config result = {};
  result.struct_size = sizeof(result);
  result.image_size = image_size;
  result.patch_size = patch_size;
  result.dim = dim;
  result.depth = depth;
  result.heads = heads;
  result.mlp_ratio = mlp_ratio;
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
  result.activation = activation;
  result.norm_eps = norm_eps;
  return result;
}

ModelConfig ModelConfig::from_c(const ata_model_config& config) {
  ModelConfig result;
  result.image_size = config.image_size;
  result.patch_size = config.patch_size;
  result.dim = config.dim;
  result.depth = config.depth;
  result.heads = config.heads;
  result.mlp_ratio = config.mlp_ratio;
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
  result.activation = config.activation;
  result.norm_eps = config.norm_eps;
  result.validate(ATA_INVALID_ARGUMENT, "model configuration");
  return result;
}

}  // namespace ata
