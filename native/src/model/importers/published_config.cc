#include "model/importers/published_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace ata {
namespace {

using Json = nlohmann::json;

// The names of 21,843 classes and their descriptions are about two megabytes.
constexpr uint64_t kMaxBytes = 32 << 20;
constexpr int kMaxDepth = 32;
constexpr int32_t kMaxLabels = 1'000'000;

constexpr char kRemedy[] =
    "; if the file belongs to another checkpoint, move it or leave it unread (--no-config)";

// One object of a file; messages name the field with the objects around it.
class Section {
 public:
  Section(std::string file, const Json& json, std::string within = "")
      : file_(std::move(file)), json_(&json), within_(std::move(within)) {}

  const std::string& file() const { return file_; }
  std::string where(const char* name) const {
    return concat("'", within_, name, "' of '", file_, "'");
  }

  template <typename... Args>
  [[noreturn]] void bad(const char* name, const Args&... args) const {
    fail(ATA_BAD_MODEL, where(name), " ", args..., kRemedy);
  }

  const Json* find(const char* name) const {
    const auto found = json_->find(name);
    return found == json_->end() || found->is_null() ? nullptr : &*found;
  }
  bool has(const char* name) const { return find(name) != nullptr; }

  std::optional<Section> object(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr) return std::nullopt;
    if (!field->is_object()) bad(name, "is not an object");
    return Section(file_, *field, within_ + name + ".");
  }

  std::optional<std::string> text(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr) return std::nullopt;
    if (!field->is_string()) bad(name, "is not a text");
    return field->get<std::string>();
  }

  std::optional<bool> flag(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr) return std::nullopt;
    if (!field->is_boolean()) bad(name, "is neither true nor false");
    return field->get<bool>();
  }

  std::optional<Stated<int32_t>> count(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr) return std::nullopt;
    return Stated<int32_t>{count_of(name, *field), where(name)};
  }

  // A side in pixels: one number, or a list of equal ones.
  std::optional<Stated<int32_t>> side(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr) return std::nullopt;
    if (!field->is_array()) return count(name);
    if (field->size() != 2 || field->front() != field->back()) {
      bad(name, "is not one size or two equal ones; Ata's frames are square");
    }
    return Stated<int32_t>{count_of(name, field->front()), where(name)};
  }

  std::optional<double> number(const char* name) const {
    const Json* field = find(name);
    if (field == nullptr) return std::nullopt;
    if (!field->is_number()) bad(name, "is not a number");
    return field->get<double>();
  }

  // One positive number, or one for each channel; `positive` for deviations.
  void channels(const char* name, bool positive, float (&values)[3]) const {
    const Json* field = find(name);
    if (field == nullptr) bad(name, "is missing");
    for (size_t i = 0; i < 3; ++i) {
      const bool list = field->is_array();
      if ((list && field->size() != 3) || !(list ? (*field)[i] : *field).is_number()) {
        bad(name, "is not a list of three numbers");
      }
      values[i] = (list ? (*field)[i] : *field).get<float>();
      if (!std::isfinite(values[i]) || (positive && !(values[i] > 0))) {
        bad(name, "holds ", values[i], positive ? "; deviations are above 0" : "");
      }
    }
  }

 private:
  int32_t count_of(const char* name, const Json& value) const {
    if (!value.is_number_integer() || value < 0 || value > INT32_MAX) {
      bad(name, "is not a whole number of at least 0");
    }
    return value.get<int32_t>();
  }

  std::string file_;
  const Json* json_;
  std::string within_;
};

// A file's object; null when there is no such file.
Json read_json(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(native_path(path), error)) return nullptr;
  const InputFile file(path);
  if (file.size() > kMaxBytes) {
    fail(ATA_BAD_MODEL, "'", path, "' has ", file.size(), " bytes, too many for a configuration",
         kRemedy);
  }
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size());
  const auto check = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) fail(ATA_BAD_MODEL, "'", path, "' is nested too deeply", kRemedy);
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, check);
  } catch (const Json::exception&) {
    fail(ATA_BAD_MODEL, "'", path, "' is not valid JSON", kRemedy);
  }
  if (!json.is_object()) fail(ATA_BAD_MODEL, "'", path, "' is not a JSON object", kRemedy);
  return json;
}

std::optional<ata_activation> activation_named(const std::string& name) {
  constexpr std::pair<const char*, ata_activation> kNames[] = {
      {"gelu", ATA_ACTIVATION_GELU},
      {"quick_gelu", ATA_ACTIVATION_QUICK_GELU},
      {"quickgelu", ATA_ACTIVATION_QUICK_GELU},
      {"gelu_tanh", ATA_ACTIVATION_GELU_TANH},
      {"gelu_new", ATA_ACTIVATION_GELU_TANH},
      {"gelu_pytorch_tanh", ATA_ACTIVATION_GELU_TANH},
      {"gelu_fast", ATA_ACTIVATION_GELU_TANH}};
  for (const auto& [known, activation] : kNames) {
    if (name == known) return activation;
  }
  return std::nullopt;
}

Stated<ata_activation> activation_of(const Section& section, const char* name,
                                     const std::string& value) {
  const auto activation = activation_named(value);
  if (!activation) {
    section.bad(name, "is '", value, "', an activation that Ata does not have (it has gelu, ",
                "quick_gelu and gelu_tanh)");
  }
  return {*activation, section.where(name)};
}

void set_eps(const Section& section, const char* name, double fallback,
             std::optional<Stated<float>>* eps) {
  *eps = Stated<float>{static_cast<float>(section.number(name).value_or(fallback)),
                       section.where(name)};
}

// --- Hugging Face ------------------------------------------------------------------------------

// Where a file says nothing, transformers takes what its classes have as defaults.
struct HuggingFaceDefaults {
  const char* model_type;
  double norm_eps;
  const char* activation;
};
constexpr HuggingFaceDefaults kHuggingFaceDefaults[] = {{"vit", 1e-12, "gelu"},
                                                        {"deit", 1e-12, "gelu"},
                                                        {"vit_mae", 1e-12, "gelu"},
                                                        {"dinov2", 1e-6, "gelu"},
                                                        {"timesformer", 1e-6, "gelu"},
                                                        {"clip", 1e-5, "quick_gelu"},
                                                        {"clip_vision_model", 1e-5, "quick_gelu"}};

// {"0": "tench", ...}, every number once.
std::vector<std::string> numbered_labels(const Section& section, const char* name) {
  const Json& field = *section.find(name);
  if (!field.is_object() || field.size() > kMaxLabels) section.bad(name, "is not a table of names");
  std::vector<std::string> labels(field.size());
  std::vector<bool> given(field.size());
  for (const auto& [key, value] : field.items()) {
    size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= labels.size() ||
        given[index] || !value.is_string()) {
      section.bad(name, "does not name the classes 0 to ", field.size() - 1, " once each");
    }
    given[index] = true;
    labels[index] = value.get<std::string>();
  }
  return labels;
}

void read_hugging_face(const Section& file, const Family& family, PublishedConfig* config) {
  const std::string type = *file.text("model_type");
  const auto* known = std::find_if(
      std::begin(kHuggingFaceDefaults), std::end(kHuggingFaceDefaults),
      [&](const HuggingFaceDefaults& defaults) { return type == defaults.model_type; });
  const bool fits = std::find(family.model_types.begin(), family.model_types.end(), type) !=
                    family.model_types.end();
  if (known == std::end(kHuggingFaceDefaults) || !fits) {
    file.bad("model_type", "is '", type, "', but the tensors have the names of ", family.title);
  }
  // A CLIP of both towers describes them in parts.
  static const Json kEmpty = Json::object();
  const Section network =
      type != "clip"
          ? file
          : file.object("vision_config").value_or(Section(file.file(), kEmpty, "vision_config."));
  const auto count = [&](const char* name, int32_t fallback) {
    auto stated = network.count(name);
    return stated ? stated : Stated<int32_t>{fallback, network.where(name)};
  };
  config->dim = count("hidden_size", 768);
  config->depth = count("num_hidden_layers", 12);
  config->heads = count("num_attention_heads", 12);
  if (type == "dinov2") {
    const double ratio = network.number("mlp_ratio").value_or(4);
    if (!(ratio > 0 && ratio <= 64)) network.bad("mlp_ratio", "is ", ratio);
    config->hidden_dim = Stated<int32_t>{static_cast<int32_t>(config->dim->value * ratio),
                                         network.where("mlp_ratio")};
    if (network.flag("use_swiglu_ffn").value_or(false)) {
      network.bad("use_swiglu_ffn", "is true: Ata has no gated MLPs (SwiGLU)");
    }
  } else {
    config->hidden_dim = count("intermediate_size", 3072);
  }
  config->patch_size = network.side("patch_size");
  config->image_size = network.side("image_size");
  if (const auto channels = network.count("num_channels"); channels && channels->value != 3) {
    network.bad("num_channels", "is ", channels->value, "; Ata's frames have 3 channels");
  }
  config->activation =
      activation_of(network, "hidden_act", network.text("hidden_act").value_or(known->activation));
  set_eps(network, "layer_norm_eps", known->norm_eps, &config->norm_eps);
  config->qkv_bias =
      Stated<bool>{network.flag("qkv_bias").value_or(true), network.where("qkv_bias")};
  if (type == "timesformer") {
    config->frames = network.count("num_frames");
    const std::string mode = network.text("attention_type").value_or("divided_space_time");
    if (mode != "divided_space_time" && mode != "joint_space_time" && mode != "space_only") {
      network.bad("attention_type", "is '", mode, "', which is no mode of TimeSformer");
    }
    config->temporal =
        Stated<ata_temporal_mode>{mode == "space_only"         ? ATA_TEMPORAL_SPACE_ONLY
                                  : mode == "joint_space_time" ? ATA_TEMPORAL_JOINT
                                                               : ATA_TEMPORAL_DIVIDED,
                                  network.where("attention_type")};
  }
  if (file.has("id2label")) {
    config->labels =
        Stated<std::vector<std::string>>{numbered_labels(file, "id2label"), file.where("id2label")};
    config->classes =
        Stated<int32_t>{static_cast<int32_t>(config->labels->value.size()), file.where("id2label")};
  }
}

// The pictures' side in {"height": 224, "width": 224}, {"shortest_edge": 224} or a number.
std::optional<Stated<int32_t>> picture_side(const Section& section, const char* name) {
  const Json* field = section.find(name);
  if (field == nullptr || !field->is_object()) return section.side(name);
  const Section size = *section.object(name);
  const auto height = size.count("height"), width = size.count("width");
  if (height && width && height->value == width->value) return height;
  return size.count("shortest_edge");
}

void read_preprocessor(const Section& file, PublishedConfig* config) {
  if (!file.flag("do_rescale").value_or(true)) {
    file.bad("do_rescale", "is false: the network sees pixels of 0 to 255; say how that comes to ",
             "be normalised on the scale of 0 to 1 (--mean, --std)");
  }
  if (const auto factor = file.number("rescale_factor");
      factor && std::abs(*factor * 255 - 1) > 1e-3) {
    file.bad("rescale_factor", "is ", *factor,
             ", not 1/255; say how pixels on the scale of 0 to 1 ",
             "are normalised (--mean, --std)");
  }
  Stated<Normalization> normalization = {{{0, 0, 0}, {1, 1, 1}}, file.where("do_normalize")};
  if (file.flag("do_normalize").value_or(true)) {
    if (!file.has("image_mean") && !file.has("image_std")) return;
    file.channels("image_mean", false, normalization.value.mean);
    file.channels("image_std", true, normalization.value.std);
    normalization.where = file.where("image_mean");
  }
  config->normalization = normalization;
  const bool crops = file.flag("do_center_crop").value_or(file.has("crop_size"));
  config->seen_size = picture_side(file, crops && file.has("crop_size") ? "crop_size" : "size");
}

// --- timm --------------------------------------------------------------------------------------

bool begins(const std::string& text, const char* start) {
  return text.rfind(start, 0) == 0;
}

void read_timm(const Section& file, PublishedConfig* config) {
  const std::string architecture = *file.text("architecture");
  static constexpr const char* kArchitectures[] = {"vit_", "deit_", "deit3_", "flexivit_",
                                                   "test_vit"};
  if (std::none_of(std::begin(kArchitectures), std::end(kArchitectures),
                   [&](const char* start) { return begins(architecture, start); })) {
    file.bad("architecture", "is '", architecture,
             "', which is not one of timm's vision transformers");
  }
  if (const auto pool = file.text("global_pool"); pool && *pool != "token" && !pool->empty()) {
    file.bad("global_pool", "is '", *pool,
             "': the original's head does not read the class token, as ", "Ata's does");
  }
  // Before 2023 everything was in one object.
  const Section published = file.object("pretrained_cfg").value_or(file);
  static const Json kEmpty = Json::object();
  const Section arguments =
      file.object("model_args").value_or(Section(file.file(), kEmpty, "model_args."));
  config->dim = arguments.count("embed_dim");
  if (!config->dim) config->dim = file.count("num_features");
  config->depth = arguments.count("depth");
  config->heads = arguments.count("num_heads");
  config->patch_size = arguments.side("patch_size");
  config->image_size = arguments.side("img_size");
  if (const auto bias = arguments.flag("qkv_bias")) {
    config->qkv_bias = Stated<bool>{*bias, arguments.where("qkv_bias")};
  }
  if (const auto activation = arguments.text("act_layer")) {
    config->activation = activation_of(arguments, "act_layer", *activation);
  } else {
    const bool quick = architecture.find("quickgelu") != std::string::npos;
    config->activation = Stated<ata_activation>{
        quick ? ATA_ACTIVATION_QUICK_GELU : ATA_ACTIVATION_GELU, file.where("architecture")};
  }
  const bool clip = architecture.find("_clip_") != std::string::npos;
  config->norm_eps = Stated<float>{clip ? 1e-5f : 1e-6f, file.where("architecture")};
  if (published.has("mean") || published.has("std")) {
    Stated<Normalization> normalization = {{}, published.where("mean")};
    published.channels("mean", false, normalization.value.mean);
    published.channels("std", true, normalization.value.std);
    config->normalization = normalization;
  }
  if (const Json* size = published.find("input_size")) {
    if (!size->is_array() || size->size() != 3 || (*size)[0] != 3 || (*size)[1] != (*size)[2] ||
        !(*size)[1].is_number_integer() || (*size)[1] < 1 || (*size)[1] > INT32_MAX) {
      published.bad("input_size", "is not 3, height, width of square pictures");
    }
    config->seen_size = Stated<int32_t>{(*size)[1].get<int32_t>(), published.where("input_size")};
  }
  config->classes = file.count("num_classes");
  if (!config->classes) config->classes = published.count("num_classes");
  if (config->classes && config->classes->value == 0) config->classes.reset();
  const Section& naming = file.has("label_names") ? file : published;
  if (const Json* names = naming.find("label_names")) {
    if (!names->is_array() || names->size() > kMaxLabels ||
        !std::all_of(names->begin(), names->end(), [](const Json& v) { return v.is_string(); })) {
      naming.bad("label_names", "is not a list of names");
    }
    auto labels = names->get<std::vector<std::string>>();
    if (const auto descriptions = naming.object("label_descriptions")) {
      for (std::string& label : labels) {
        if (const auto text = descriptions->text(label.c_str())) label = *text;
      }
    }
    config->labels =
        Stated<std::vector<std::string>>{std::move(labels), naming.where("label_names")};
  }
}

// --- OpenCLIP ----------------------------------------------------------------------------------

void read_open_clip(const Section& file, PublishedConfig* config) {
  const Section model = file.object("model_cfg").value_or(file);
  if (const auto vision = model.object("vision_cfg"); vision && !vision->has("timm_model_name")) {
    config->dim = vision->count("width");
    config->depth = vision->count("layers");
    config->patch_size = vision->side("patch_size");
    config->image_size = vision->side("image_size");
    if (config->dim) {
      const auto width = vision->count("head_width");
      const int32_t head = width ? width->value : 64;
      if (head < 1 || config->dim->value % head != 0) {
        vision->bad("head_width", "is ", head, ", which does not divide the width ",
                    config->dim->value);
      }
      config->heads = Stated<int32_t>{config->dim->value / head, vision->where("head_width")};
      const double ratio = vision->number("mlp_ratio").value_or(4);
      if (!(ratio > 0 && ratio <= 64)) vision->bad("mlp_ratio", "is ", ratio);
      config->hidden_dim = Stated<int32_t>{static_cast<int32_t>(config->dim->value * ratio),
                                           vision->where("mlp_ratio")};
    }
    if (vision->flag("global_average_pool").value_or(false)) {
      vision->bad("global_average_pool",
                  "is true: the original averages patches, while Ata reads the ", "class token");
    }
    if (const auto pool = vision->text("pool_type"); pool && *pool != "tok") {
      vision->bad("pool_type", "is '", *pool, "', while Ata reads the class token");
    }
    const auto norm = vision->object("norm_kwargs");
    config->norm_eps =
        Stated<float>{static_cast<float>(norm ? norm->number("eps").value_or(1e-5) : 1e-5),
                      vision->where("norm_kwargs.eps")};
    const bool quick = model.flag("quick_gelu").value_or(false);
    const auto arguments = vision->object("act_kwargs");
    const auto tanh = arguments ? arguments->text("approximate") : std::nullopt;
    config->activation =
        Stated<ata_activation>{quick                         ? ATA_ACTIVATION_QUICK_GELU
                               : tanh.value_or("") == "tanh" ? ATA_ACTIVATION_GELU_TANH
                                                             : ATA_ACTIVATION_GELU,
                               model.where("quick_gelu")};
  }
  if (const auto pictures = file.object("preprocess_cfg")) {
    if (pictures->has("mean") || pictures->has("std")) {
      Stated<Normalization> normalization = {{}, pictures->where("mean")};
      pictures->channels("mean", false, normalization.value.mean);
      pictures->channels("std", true, normalization.value.std);
      config->normalization = normalization;
    }
  }
}

// --- Files -------------------------------------------------------------------------------------

std::optional<ConfigKind> kind_of(const Json& json) {
  if (json.contains("model_cfg") || json.contains("vision_cfg")) return ConfigKind::kOpenClip;
  const auto is_text = [&](const char* name) {
    return json.contains(name) && json[name].is_string();
  };
  // transformers' wrapper of timm's models has both.
  if (is_text("architecture")) return ConfigKind::kTimm;
  if (is_text("model_type")) return ConfigKind::kHuggingFace;
  return std::nullopt;
}

}  // namespace

PublishedConfig read_published_config(const std::string& folder, const Family& family) {
  PublishedConfig config;
  const auto path_of = [&](const char* name) { return utf8_path(native_path(folder) / name); };
  struct Candidate {
    std::string path;
    Json json;
    ConfigKind kind;
  };
  std::vector<Candidate> candidates;
  for (const char* name : {"config.json", "open_clip_config.json", "open_clip_model_config.json"}) {
    const std::string path = path_of(name);
    Json json = read_json(path);
    if (json.is_null()) continue;
    if (const auto kind = kind_of(json)) {
      candidates.push_back({path, std::move(json), *kind});
    } else {
      config.notes.push_back(
          {ATA_IMPORT_IGNORED, path, "a configuration of neither Hugging Face, timm nor OpenCLIP"});
    }
  }
  const Candidate* chosen = nullptr;
  for (const ConfigKind kind : family.configs) {
    for (const Candidate& candidate : candidates) {
      if (chosen == nullptr && candidate.kind == kind) chosen = &candidate;
    }
  }
  for (const Candidate& candidate : candidates) {
    if (&candidate != chosen) {
      config.notes.push_back({ATA_IMPORT_IGNORED, candidate.path,
                              concat("it does not describe a checkpoint of ", family.title)});
    }
  }
  if (chosen != nullptr) {
    const Section file(chosen->path, chosen->json);
    switch (chosen->kind) {
      case ConfigKind::kHuggingFace:
        read_hugging_face(file, family, &config);
        break;
      case ConfigKind::kTimm:
        read_timm(file, &config);
        break;
      case ConfigKind::kOpenClip:
        read_open_clip(file, &config);
        break;
    }
  }
  const std::string preprocessor = path_of("preprocessor_config.json");
  const Json json = read_json(preprocessor);
  if (!json.is_null() && !config.normalization) read_preprocessor({preprocessor, json}, &config);
  return config;
}

}  // namespace ata
