#include "model/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iterator>

#include "base/error.h"
#include "base/file.h"
#include "model/backbones/vit_config.h"
#include "model/importers/deduce_config.h"
#include "model/importers/foreign_checkpoint.h"
#include "ops/devices.h"
#include "ops/embedding.h"

namespace ata {
namespace {

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

// Makes each parameter of the model from what the file has.
class Importer {
 public:
  Importer(const ForeignCheckpoint& file, const Deduced& deduced, const ImportOptions& options)
      : file_(file),
        names_(file.names()),
        deduced_(deduced),
        config_(deduced.config),
        options_(options) {}

  Tensor parameter(const ParameterInfo& info) const {
    if (is_head(info.name) && !deduced_.keeps_head) {
      return initial_parameter(info, options_.seed);
    }
    if (info.name == "pos_embed") return positions(info);
    if (info.name == "time_embed") return times(info);
    if (!names_.contains(info.name)) {
      const std::string image = image_counterpart(info.name);
      // What the translation found complete lacks no more than biases that the network has not, and
      // the last layer of a temporal step.
      return image.empty() || !names_.contains(image)
                 ? Tensor::zeros(info.shape, DType::kF32)
                 : parameter({.name = image, .shape = info.shape});
    }
    Tensor tensor = file_.read(info);
    fold_layer_scale(info, &tensor);
    return tensor;
  }

  // What became of the file's weights.
  void report(const std::vector<ParameterInfo>& parameters, ImportNotes* notes) const {
    const auto note = [&](ata_import_note_kind kind, const char* subject, const std::string& text) {
      notes->push_back({kind, subject, text});
    };
    const auto has = [&](const char* name) {
      return std::any_of(parameters.begin(), parameters.end(),
                         [&](const ParameterInfo& info) { return info.name == name; });
    };
    if (names_.contains("blocks.0.ls1.gamma")) {
      note(ATA_IMPORT_CONVERTED, "layer scales", "multiplied into the layers before them");
    }
    if (names_.lacks_class_position()) {
      note(ATA_IMPORT_CONVERTED, "pos_embed",
           "the class token gets position zero, for the original gives it none");
    }
    for (const char* bias : {"patch_embed.proj.bias", "blocks.0.attn.qkv.bias"}) {
      if (!names_.contains(bias)) {
        note(ATA_IMPORT_CONVERTED, bias[0] == 'p' ? bias : "attn.qkv.bias",
             "zero, for the original has none");
      }
    }
    if (config_.grid() != deduced_.grid) {
      note(ATA_IMPORT_CONVERTED, "pos_embed",
           concat("interpolated ", bicubic() ? "bicubically" : "by the nearest", " from ",
                  deduced_.grid, " x ", deduced_.grid, " patches to ", config_.grid(), " x ",
                  config_.grid()));
    }
    if (names_.contains("time_embed")) {
      const int64_t stored = file_.dims("time_embed")[0];
      if (stored != config_.frames) {
        note(ATA_IMPORT_CONVERTED, "time_embed",
             concat("interpolated by the nearest from ", stored, " frames to ", config_.frames));
      }
    } else if (has("time_embed")) {
      note(
          ATA_IMPORT_NEW, "time_embed",
          options_.random_times ? "random" : "zero, which leaves frames as the original sees them");
    }
    const char* const temporal = "blocks.0.temporal_attn.qkv.weight";
    if (has(temporal) && !names_.contains(temporal)) {
      note(ATA_IMPORT_NEW, "attention over time",
           concat("for mode ", temporal_mode_name(config_.temporal),
                  "; a copy of that over space, of no effect until trained (temporal_fc is zero)"));
    }
  }

 private:
  // Multiplies the rows of a layer's weight, or its bias, by the LayerScale that follows it.
  void fold_layer_scale(const ParameterInfo& info, Tensor* tensor) const {
    for (const auto& [layer, scale] :
         {std::pair<std::string, std::string>{"attn.proj", "ls1.gamma"},
          {"mlp.fc2", "ls2.gamma"}}) {
      const size_t at = info.name.find("." + layer + ".");
      if (at == std::string::npos) continue;
      const std::string name = info.name.substr(0, at + 1) + scale;
      if (!names_.contains(name)) continue;
      const int64_t rows = tensor->dim(0);
      const int64_t columns = tensor->count() / rows;
      const Tensor gamma = file_.read({.name = name, .shape = {rows}});
      for (int64_t i = 0; i < tensor->count(); ++i) {
        tensor->data<float>()[i] *= gamma.data<float>()[i / columns];
      }
    }
  }

  bool bicubic() const {
    if (options_.positions != ATA_POSITIONS_AUTO) {
      return options_.positions == ATA_POSITIONS_BICUBIC;
    }
    return !names_.family().facts(names_).temporal && !file_.own_config();
  }

  Tensor positions(const ParameterInfo& info) const {
    const int64_t dim = config_.dim();
    const int64_t patches = int64_t{deduced_.grid} * deduced_.grid;
    Tensor stored = Tensor::zeros({1, patches + 1, dim}, DType::kF32);
    if (names_.lacks_class_position()) {
      const Tensor read = file_.read({.name = info.name, .shape = {1, patches, dim}});
      std::memcpy(stored.data<float>() + dim, read.raw(), read.bytes());
    } else {
      stored = file_.read({.name = info.name, .shape = {1, patches + 1, dim}});
    }
    return resample_positions(make_context(cpu_device()), Variable(stored), deduced_.grid,
                              deduced_.grid, config_.grid(), config_.grid(),
                              bicubic() ? Resampling::kBicubic : Resampling::kNearest)
        .value();
  }

  Tensor times(const ParameterInfo& info) const {
    if (!names_.contains("time_embed")) {
      return options_.random_times ? initial_parameter(info, options_.seed)
                                   : Tensor::zeros(info.shape, DType::kF32);
    }
    const Variable stored(file_.read(
        {.name = "time_embed", .shape = {1, file_.dims("time_embed")[0], config_.dim()}}));
    return resample_times(make_context(cpu_device()), stored, config_.frames).value();
  }

  const ForeignCheckpoint& file_;
  const Translation& names_;
  const Deduced& deduced_;
  const ModelConfig& config_;
  const ImportOptions& options_;
};

// Where the configuration files of a checkpoint are.
std::string folder_of(const std::string& path) {
  const std::filesystem::path system = native_path(path);
  std::error_code error;
  if (std::filesystem::is_directory(system, error)) return path;
  const std::filesystem::path parent = system.parent_path();
  return parent.empty() ? "." : utf8_path(parent);
}

void check_text(const char* text, const char* what) {
  require(text != nullptr && *text != '\0', what, " is NULL or empty");
}

}  // namespace

ImportOptions ImportOptions::from_c(const ata_import_options& options) {
  ImportOptions result;
  require(options.source >= ATA_CHECKPOINT_AUTO && options.source <= ATA_CHECKPOINT_HF_VIT,
          "source ", options.source, " is not one of ata_checkpoint_source");
  result.source = options.source;
  if (options.temporal != -1) {
    result.temporal = static_cast<ata_temporal_mode>(options.temporal);
    temporal_mode_name(*result.temporal);
  }
  const std::pair<const char*, int32_t> sizes[] = {{"frames", options.frames},
                                                   {"classes", options.classes},
                                                   {"heads", options.heads},
                                                   {"image_size", options.image_size}};
  for (const auto& [name, value] : sizes) {
    require(value >= 0, name, " is ", value, "; it must be positive, or 0 for the default");
  }
  result.frames = options.frames;
  result.classes = options.classes;
  result.heads = options.heads;
  result.image_size = options.image_size;
  result.seed = options.seed;
  result.random_times = options.random_times != 0;
  require(options.positions >= ATA_POSITIONS_AUTO && options.positions <= ATA_POSITIONS_BICUBIC,
          "positions ", options.positions, " is not one of ata_positions");
  result.positions = options.positions;
  if (options.activation != -1) {
    result.activation = static_cast<ata_activation>(options.activation);
    activation_name(*result.activation);
  }
  require(std::isfinite(options.norm_eps) && options.norm_eps >= 0, "norm_eps is ",
          options.norm_eps, "; it must be positive, or 0 for the default");
  if (options.norm_eps > 0) result.norm_eps = options.norm_eps;
  const bool normalized = std::any_of(std::begin(options.std), std::end(options.std),
                                      [](float value) { return value != 0; });
  const bool shifted = std::any_of(std::begin(options.mean), std::end(options.mean),
                                   [](float value) { return value != 0; });
  require(normalized || !shifted, "mean is given without std");
  if (normalized) {
    Normalization given;
    for (int i = 0; i < 3; ++i) {
      require(std::isfinite(options.mean[i]) && std::isfinite(options.std[i]) && options.std[i] > 0,
              "mean must be finite and std above 0 in each channel");
      given.mean[i] = options.mean[i];
      given.std[i] = options.std[i];
    }
    result.normalization = given;
  }
  if (options.key != nullptr) result.key = options.key;
  require(options.ignore != nullptr || options.ignore_count == 0, "ignore is NULL");
  for (size_t i = 0; i < options.ignore_count; ++i) {
    check_text(options.ignore[i], "a pattern to ignore");
    result.ignore.emplace_back(options.ignore[i]);
  }
  result.tensors_only = options.tensors_only != 0;
  if (options.device != nullptr) result.device = &device_by_name(options.device);
  return result;
}

ImportedModel import_checkpoint(const std::string& path, const ImportOptions& options) {
  const ForeignCheckpoint file(path, options.key, options.source, options.ignore);
  ImportedModel result;
  const Deduced deduced = deduce_config(file, folder_of(path), options, &result.notes);
  const ModelConfig& config = deduced.config;
  const std::vector<ParameterInfo> list =
      list_parameters(config, [&](const std::string& name) { return file.names().contains(name); });
  const Importer importer(file, deduced, options);
  ParameterSet parameters;
  for (const ParameterInfo& info : list) {
    parameters.add(info.name, importer.parameter(info));
  }
  importer.report(list, &result.notes);
  const ImportNotes& left_out = file.names().notes();
  result.notes.insert(result.notes.end(), left_out.begin(), left_out.end());
  for (const std::string& object : file.source().ignored()) {
    const size_t colon = std::min(object.find(": "), object.size());
    result.notes.push_back(
        {ATA_IMPORT_IGNORED, object.substr(0, colon),
         colon == object.size() ? "no tensor of the network" : object.substr(colon + 2)});
  }
  result.model = std::make_shared<Model>(config, parameters, *options.device);
  return result;
}

}  // namespace ata
