#include "model/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "model/foreign_names.h"
#include "model/safetensors.h"
#include "ops/embedding.h"

namespace ata {
namespace {

constexpr int32_t kDefaultFrames = 8;
constexpr int32_t kDefaultClasses = 400;

// OpenAI's normalisation of images for CLIP.
constexpr float kClipMean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
constexpr float kClipStd[3] = {0.26862954f, 0.26130258f, 0.27577711f};

std::string to_string(std::span<const int64_t> dims) {
  return Shape(dims).to_string();
}

// The extents of a parameter without the leading ones that checkpoints disagree about.
std::vector<int64_t> essential_dims(const std::string& name, std::span<const int64_t> dims) {
  const size_t rank = name == "cls_token"                           ? 1
                      : name == "pos_embed" || name == "time_embed" ? 2
                                                                    : dims.size();
  std::vector<int64_t> result(dims.begin(), dims.end());
  while (result.size() > rank && result.front() == 1) result.erase(result.begin());
  return result;
}

// A foreign checkpoint seen under the reference model's names.
class ForeignFile {
 public:
  ForeignFile(const std::string& path, ata_source source) : file_(path) {
    std::vector<std::string> names;
    for (size_t i = 0; i < file_.count(); ++i) names.push_back(file_.name(i));
    translation_ = translate_names(names, source, concat("'", path, "'"));
    if (const std::string* json = file_.metadata("config")) {
      config_ = ModelConfig::from_json(*json, concat("'", path, "'"));
    }
  }

  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(ATA_BAD_MODEL, "'", file_.path(), "' cannot be imported: ", args...);
  }

  const std::string& path() const { return file_.path(); }
  ata_source source() const { return translation_.source; }
  /// The configuration, if the file is Ata's own.
  const std::optional<ModelConfig>& config() const { return config_; }
  bool contains(const std::string& name) const { return translation_.parts.count(name) != 0; }

  /// essential_dims() of all parts together. Throws when the tensor is missing.
  std::vector<int64_t> dims(const std::string& name) const {
    const auto found = translation_.parts.find(name);
    if (found == translation_.parts.end()) bad("tensor '", name, "' is missing");
    std::vector<int64_t> result;
    for (const std::string& part : found->second) {
      if (part.empty()) bad("a part of tensor '", name, "' is missing");
      const std::vector<int64_t> extents = essential_dims(name, file_.dims(part));
      if (result.empty()) {
        result = extents;
        continue;
      }
      if (extents.size() != result.size() || extents[0] > INT32_MAX ||
          !std::equal(extents.begin() + 1, extents.end(), result.begin() + 1)) {
        bad("the parts of tensor '", name, "' differ in shape");
      }
      result[0] += extents[0];
    }
    return result;
  }

  Tensor read(const ParameterInfo& info) const {
    if (dims(info.name) != essential_dims(info.name, info.shape.dims())) {
      bad("tensor '", info.name, "' has shape ", to_string(dims(info.name)), ", not ",
          info.shape.to_string());
    }
    Tensor result(info.shape, DType::kF32);
    char* out = static_cast<char*>(result.raw());
    for (const std::string& part : translation_.parts.at(info.name)) {
      const Tensor piece = file_.get_f32(part);
      check_finite(piece, part, concat("'", file_.path(), "'"));
      std::memcpy(out, piece.raw(), piece.bytes());
      out += piece.bytes();
    }
    return result;
  }

 private:
  TensorFile file_;
  Translation translation_;
  std::optional<ModelConfig> config_;
};

// What the tensors' shapes and the options say about the model.
ModelConfig deduce_config(const ForeignFile& file, const ImportOptions& options) {
  ModelConfig config;
  if (file.config()) {
    config = *file.config();
    config.labels.clear();
  } else if (file.source() == ATA_SOURCE_CLIP) {
    std::copy(std::begin(kClipMean), std::end(kClipMean), config.mean);
    std::copy(std::begin(kClipStd), std::end(kClipStd), config.std);
  }
  const auto extent = [&](const std::string& name, size_t axis, size_t rank) {
    const std::vector<int64_t> dims = file.dims(name);
    if (dims.size() != rank || dims[axis] > INT32_MAX) {
      file.bad("tensor '", name, "' has an unexpected shape");
    }
    return static_cast<int32_t>(dims[axis]);
  };
  config.dim = extent("patch_embed.proj.weight", 0, 4);
  config.patch_size = extent("patch_embed.proj.weight", 2, 4);
  const int64_t positions = extent("pos_embed", 0, 2) - 1;
  const int64_t grid = std::llround(std::sqrt(static_cast<double>(positions)));
  if (positions < 1 || grid * grid != positions) {
    file.bad("'pos_embed' has ", positions + 1,
             " positions, which is not a class token and a square grid of patches");
  }
  if (grid * config.patch_size > INT32_MAX) file.bad("'pos_embed' has too many positions");
  config.image_size = static_cast<int32_t>(grid) * config.patch_size;
  config.depth = 0;
  while (file.contains(concat("blocks.", config.depth, ".norm1.weight"))) ++config.depth;
  if (config.depth == 0) file.bad("tensor 'blocks.0.norm1.weight' is missing");
  config.mlp_ratio =
      static_cast<float>(extent("blocks.0.mlp.fc1.weight", 0, 2)) / static_cast<float>(config.dim);
  if (options.heads > 0) {
    require(config.dim % options.heads == 0, "heads is ", options.heads,
            ", which does not divide the checkpoint's width, ", config.dim);
    config.heads = options.heads;
  } else if (!file.config()) {
    if (config.dim % kHeadDim != 0) {
      file.bad("its width ", config.dim, " is not a multiple of ", kHeadDim,
               "; say how many attention heads it has (--heads)");
    }
    config.heads = config.dim / kHeadDim;
  }
  config.frames = options.frames > 0            ? options.frames
                  : file.contains("time_embed") ? extent("time_embed", 0, 2)
                                                : kDefaultFrames;
  config.classes = options.classes > 0            ? options.classes
                   : file.contains("head.weight") ? extent("head.weight", 0, 2)
                                                  : kDefaultClasses;
  config.temporal = options.temporal;
  config.validate(ATA_BAD_MODEL, concat("'", file.path(), "' cannot be imported"));
  if (file.config() && file.config()->labels.size() == static_cast<size_t>(config.classes)) {
    config.labels = file.config()->labels;
  }
  return config;
}

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// The image parameter that a temporal one starts as a copy of, or "".
std::string image_counterpart(const std::string& name) {
  for (const auto& [temporal, image] :
       {std::pair<std::string, std::string>{"temporal_attn", "attn"},
        {"temporal_norm1", "norm1"}}) {
    const size_t at = name.find(temporal);
    if (at != std::string::npos) return std::string(name).replace(at, temporal.size(), image);
  }
  return "";
}

// Multiplies the rows of a layer's weight, or its bias, by the LayerScale that follows it.
void fold_layer_scale(const ForeignFile& file, const ParameterInfo& info, Tensor* tensor) {
  for (const auto& [layer, scale] :
       {std::pair<std::string, std::string>{"attn.proj", "ls1.gamma"}, {"mlp.fc2", "ls2.gamma"}}) {
    const size_t at = info.name.find("." + layer + ".");
    if (at == std::string::npos || info.name.find("temporal") != std::string::npos) continue;
    const std::string name = info.name.substr(0, at + 1) + scale;
    if (!file.contains(name)) continue;
    const int64_t rows = tensor->dim(0);
    const int64_t columns = tensor->count() / rows;
    const Tensor gamma = file.read({name, Shape{rows}});
    for (int64_t i = 0; i < tensor->count(); ++i) {
      tensor->data<float>()[i] *= gamma.data<float>()[i / columns];
    }
  }
}

bool head_fits(const ForeignFile& file, const ModelConfig& config) {
  return file.contains("head.weight") && file.contains("head.bias") &&
         file.dims("head.weight") == std::vector<int64_t>{config.classes, config.dim};
}

class Importer {
 public:
  Importer(const ForeignFile& file, const ModelConfig& config, const ImportOptions& options)
      : file_(file), config_(config), options_(options) {}

  Tensor parameter(const ParameterInfo& info) const {
    if (starts_with(info.name, "head.")) return head(info);
    if (info.name == "time_embed") return times(info);
    if (!file_.contains(info.name)) {
      const std::string image = image_counterpart(info.name);
      if (!image.empty()) return parameter({image, info.shape});
      const bool optional_bias = ends_in(info.name, "attn.qkv.bias") ||
                                 info.name == "patch_embed.proj.bias" ||
                                 info.name.find("temporal_fc.") != std::string::npos;
      if (optional_bias) return Tensor::zeros(info.shape, DType::kF32);
    }
    Tensor tensor = file_.read(info);
    fold_layer_scale(file_, info, &tensor);
    return tensor;
  }

 private:
  static bool ends_in(const std::string& text, const std::string& end) {
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
  }

  Tensor head(const ParameterInfo& info) const {
    return head_fits(file_, config_) ? file_.read(info)
                                     : initial_parameter(info, config_.dim, options_.seed);
  }

  Tensor times(const ParameterInfo& info) const {
    if (!file_.contains("time_embed")) {
      return options_.random_times ? initial_parameter(info, config_.dim, options_.seed)
                                   : Tensor::zeros(info.shape, DType::kF32);
    }
    const std::vector<int64_t> dims = file_.dims("time_embed");
    if (dims.size() != 2) file_.bad("tensor 'time_embed' has an unexpected shape");
    const Context context{.kernels = &cpu_kernels(), .allocator = heap_allocator()};
    const Variable stored(file_.read({"time_embed", {1, dims[0], config_.dim}}));
    return resample_times(context, stored, config_.frames).value();
  }

  const ForeignFile& file_;
  const ModelConfig& config_;
  const ImportOptions& options_;
};

void report(const ForeignFile& file, const ModelConfig& config) {
  if (file.source() == ATA_SOURCE_CLIP) {
    log(ATA_LOG_WARNING,
        concat("'", file.path(),
               "': CLIP's quick GELU is computed as the exact GELU, and its projection ",
               "into the joint space is dropped; fine-tune the imported model"));
  }
  if (!head_fits(file, config)) {
    log(ATA_LOG_INFO, concat("'", file.path(), "': the head for ", config.classes,
                             " classes is new; train it before use"));
  }
}

}  // namespace

ImportOptions ImportOptions::from_c(const ata_import_options& options) {
  ImportOptions result;
  require(options.source >= ATA_SOURCE_AUTO && options.source <= ATA_SOURCE_TIMESFORMER, "source ",
          options.source, " is not one of ata_source");
  result.source = options.source;
  temporal_mode_name(options.temporal);
  result.temporal = options.temporal;
  const std::pair<const char*, int32_t> sizes[] = {
      {"frames", options.frames}, {"classes", options.classes}, {"heads", options.heads}};
  for (const auto& [name, value] : sizes) {
    require(value >= 0, name, " is ", value, "; it must be positive, or 0 for the default");
  }
  result.frames = options.frames;
  result.classes = options.classes;
  result.heads = options.heads;
  result.seed = options.seed;
  result.random_times = options.random_times != 0;
  return result;
}

std::shared_ptr<Model> import_checkpoint(const std::string& path, const ImportOptions& options) {
  const ForeignFile file(path, options.source);
  const ModelConfig config = deduce_config(file, options);
  ParameterGroups groups = ParameterGroups::needed_by(config.temporal);
  groups.time = groups.time || file.contains("time_embed");
  groups.temporal = groups.temporal || file.contains("blocks.0.temporal_attn.qkv.weight");
  groups.norm_pre = file.contains("norm_pre.weight");
  const Importer importer(file, config, options);
  ParameterSet parameters;
  for (const ParameterInfo& info : list_parameters(config, groups)) {
    parameters.add(info.name, importer.parameter(info));
  }
  report(file, config);
  return std::make_shared<Model>(config, std::move(parameters));
}

}  // namespace ata
