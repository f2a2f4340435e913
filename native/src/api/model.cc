#include "model/model.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "api/boundary.h"
#include "api/handles.h"
#include "model/checkpoint.h"
#include "model/import.h"

using ata::api::guard;
using ata::api::init_options;
using ata::api::init_struct;
using ata::api::options_or_default;
using ata::api::read_struct;
using ata::api::require_pointer;
using ata::api::write_struct;

namespace {

ata_model_options default_model_options() {
  ata_model_options defaults = {};
  defaults.struct_size = sizeof(defaults);
  defaults.temporal = -1;
  defaults.alignment = -1;
  defaults.window_radius = -1;
  return defaults;
}

// The strings of ata_model_config_init() are valid for ever.
const std::string& kept_backbone_json(const std::string& size, const ata::ModelConfig& config) {
  static std::mutex mutex;
  static std::map<std::string, std::string>& texts = *new std::map<std::string, std::string>;
  const std::lock_guard<std::mutex> lock(mutex);
  return texts.try_emplace(size, config.backbone_json()).first->second;
}

ata::ModelConfig read_config(const ata_model_config* config) {
  const ata::ModelConfig usual;
  const std::string backbone = usual.backbone_json();
  return ata::ModelConfig::from_c(read_struct(config, usual.to_c(backbone), "ata_model_config"));
}

ata_import_options default_import_options() {
  ata_import_options defaults = {};
  defaults.temporal = -1;
  defaults.activation = -1;
  return defaults;
}

}  // namespace

ata_status ata_model_config_init(const char* size, ata_model_config* config,
                                 size_t struct_size) noexcept {
  return guard([&] {
    require_pointer(size, "size");
    const ata::ModelConfig named = ata::ModelConfig::named(size);
    init_struct(config, struct_size, named.to_c(kept_backbone_json(size, named)),
                "ata_model_config");
  });
}

ata_status ata_model_config_get_dimensions(const ata_model_config* config,
                                           ata_model_dimensions* dimensions) noexcept {
  return guard([&] {
    require_pointer(config, "config");
    require_pointer(dimensions, "dimensions");
    const ata::ModelConfig given = read_config(config);
    ata_model_dimensions result = {};
    result.dim = given.dim();
    result.depth = given.depth();
    result.grid = given.grid();
    result.patches = given.patches();
    result.parameter_count = ata::count_values(ata::list_parameters(given));
    write_struct(result, dimensions, "ata_model_dimensions");
  });
}

ata_status ata_model_options_init(ata_model_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, default_model_options(), "ata_model_options");
}

ata_status ata_model_load(const char* path, const ata_model_options* options,
                          ata_model** model) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(model, "model");
    const ata_model_options checked =
        options_or_default(options, default_model_options(), "ata_model_options");
    *model = new ata_model(ata::Model::load(path, ata::ModelOptions::from_c(checked)));
  });
}

ata_status ata_model_load_memory(const void* data, size_t size, const char* name,
                                 const ata_model_options* options, ata_model** model) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    const ata_model_options checked =
        options_or_default(options, default_model_options(), "ata_model_options");
    // Everything is read before this returns.
    *model = new ata_model(
        ata::Model::load(ata::Checkpoint(ata::api::file_in_memory(data, size, name, nullptr)),
                         ata::ModelOptions::from_c(checked)));
  });
}

ata_status ata_model_create(const ata_model_config* config, uint64_t seed, const char* device,
                            ata_model** model) noexcept {
  return guard([&] {
    require_pointer(config, "config");
    require_pointer(model, "model");
    *model = new ata_model(
        ata::Model::create(read_config(config), seed, ata::api::device_named(device)));
  });
}

ata_status ata_model_replace_head(const ata_model* model, int32_t classes, uint64_t seed,
                                  ata_model** replaced) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(replaced, "replaced");
    *replaced = new ata_model(model->model->with_new_head(classes, seed));
  });
}

ata_status ata_import_options_init(ata_import_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, default_import_options(), "ata_import_options");
}

ata_status ata_model_import(const char* path, const ata_import_options* options,
                            ata_model** model) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(model, "model");
    const ata_import_options checked =
        options_or_default(options, default_import_options(), "ata_import_options");
    ata::ImportedModel imported = ata::import_checkpoint(path, ata::ImportOptions::from_c(checked));
    *model = new ata_model(std::move(imported.model), std::move(imported.notes));
  });
}

size_t ata_model_import_note_count(const ata_model* model) noexcept {
  return model ? model->notes.size() : 0;
}

ata_status ata_model_get_import_note(const ata_model* model, size_t index,
                                     ata_import_note_kind* kind, const char** subject,
                                     const char** text) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(kind, "kind");
    require_pointer(subject, "subject");
    require_pointer(text, "text");
    ata::require(index < model->notes.size(), "index is ", index, "; the model has ",
                 model->notes.size(), " notes");
    const ata::ImportNote& note = model->notes[index];
    *kind = note.kind;
    *subject = note.subject.c_str();
    *text = note.text.c_str();
  });
}

ata_status ata_model_save(const ata_model* model, const char* path) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(path, "path");
    model->model->save(path);
  });
}

void ata_model_release(ata_model* model) noexcept {
  delete model;
}

ata_status ata_model_get_config(const ata_model* model, ata_model_config* config) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(config, "config");
    write_struct(model->model->config().to_c(model->backbone_json), config, "ata_model_config");
  });
}

ata_status ata_model_get_label(const ata_model* model, int32_t index, const char** label) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(label, "label");
    const ata::ModelConfig& config = model->model->config();
    ata::require(index >= 0 && index < config.classes, "index is ", index, "; the model has ",
                 config.classes, " classes");
    *label = config.labels.empty() ? nullptr : config.labels[static_cast<size_t>(index)].c_str();
  });
}

ata_status ata_model_set_labels(ata_model* model, const char* const* labels,
                                size_t count) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    if (count > 0) require_pointer(labels, "labels");
    std::vector<std::string> texts;
    texts.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      require_pointer(labels[i], "a label");
      texts.emplace_back(labels[i]);
    }
    model->model->set_labels(std::move(texts));
  });
}

size_t ata_model_parameter_count(const ata_model* model) noexcept {
  return model ? model->model->parameter_list().size() : 0;
}

int64_t ata_model_value_count(const ata_model* model) noexcept {
  return model ? ata::count_values(model->model->parameter_list()) : 0;
}

ata_status ata_model_get_parameter_name(const ata_model* model, size_t index,
                                        const char** name) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(name, "name");
    const auto& list = model->model->parameter_list();
    ata::require(index < list.size(), "index is ", index, "; the model has ", list.size(),
                 " parameters");
    *name = list[index].name.c_str();
  });
}

ata_status ata_model_get_device(const ata_model* model, const char** device) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(device, "device");
    *device = model->model->device().info().name.c_str();
  });
}
