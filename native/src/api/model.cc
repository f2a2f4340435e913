#include "model/model.h"

#include <algorithm>
#include <utility>

#include "api/boundary.h"
#include "api/handles.h"
#include "model/import.h"
#include "model/session.h"

using ata::api::flag_of;
using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::require_pointer;

namespace {

void copy_logits(const ata::Tensor& from, float* logits) {
  const auto values = from.values<float>();
  std::copy(values.begin(), values.end(), logits);
}

// Checked before the work, so that a wrong buffer costs nothing.
void check_logits(const ata_session* session, const ata_tensor* clip, const float* logits,
                  size_t count) {
  require_pointer(logits, "logits");
  const ata::Tensor& tensor = clip->tensor;
  const int64_t batch = tensor.rank() > 0 ? tensor.dim(0) : 0;
  const int64_t needed = batch * session->session.model().config().classes;
  ata::require(count == static_cast<size_t>(needed), "logits has room for ", count, " values; ",
               batch, " clips of ", session->session.model().config().classes, " classes need ",
               needed);
}

}  // namespace

ata_status ata_model_config_init(const char* architecture, ata_model_config* config) noexcept {
  return guard([&] {
    require_pointer(architecture, "architecture");
    require_pointer(config, "config");
    *config = ata::ModelConfig::named(architecture).to_c();
  });
}

ata_status ata_model_options_init(ata_model_options* options) noexcept {
  ata_model_options defaults = {};
  defaults.temporal = -1;
  defaults.alignment = -1;
  defaults.window_radius = -1;
  return init_options(options, defaults, "ata_model_options");
}

ata_status ata_model_load(const char* path, const ata_model_options* options,
                          ata_model** model) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(model, "model");
    const ata_model_options checked =
        options_or_default(options, ata_model_options_init, "ata_model_options");
    *model = new ata_model{ata::Model::load(path, ata::ModelOptions::from_c(checked))};
  });
}

ata_status ata_model_create(const ata_model_config* config, uint64_t seed,
                            ata_model** model) noexcept {
  return guard([&] {
    require_pointer(config, "config");
    require_pointer(model, "model");
    ata::require(config->struct_size == sizeof(ata_model_config),
                 "ata_model_config.struct_size is ", config->struct_size, ", not ",
                 sizeof(ata_model_config), "; begin with ata_model_config_init()");
    *model = new ata_model{ata::Model::create(ata::ModelConfig::from_c(*config), seed)};
  });
}

ata_status ata_import_options_init(ata_import_options* options) noexcept {
  ata_import_options defaults = {};
  defaults.temporal = -1;
  defaults.activation = -1;
  return init_options(options, defaults, "ata_import_options");
}

ata_status ata_model_import(const char* path, const ata_import_options* options,
                            ata_model** model) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(model, "model");
    const ata_import_options checked =
        options_or_default(options, ata_import_options_init, "ata_import_options");
    ata::ImportedModel imported = ata::import_checkpoint(path, ata::ImportOptions::from_c(checked));
    *model = new ata_model{std::move(imported.model), std::move(imported.notes)};
  });
}

size_t ata_model_import_note_count(const ata_model* model) noexcept {
  return model ? model->notes.size() : 0;
}

ata_status ata_model_import_note(const ata_model* model, size_t index, ata_import_note_kind* kind,
                                 const char** subject, const char** text) noexcept {
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
    *config = model->model->config().to_c();
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
  return model ? model->model->parameter_names().size() : 0;
}

int64_t ata_model_value_count(const ata_model* model) noexcept {
  return model ? model->model->value_count() : 0;
}

ata_status ata_model_parameter_name(const ata_model* model, size_t index,
                                    const char** name) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(name, "name");
    const auto& names = model->model->parameter_names();
    ata::require(index < names.size(), "index is ", index, "; the model has ", names.size(),
                 " parameters");
    *name = names[index].c_str();
  });
}

ata_status ata_session_create(const ata_model* model, ata_session** session) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(session, "session");
    *session = new ata_session{ata::Session(model->model)};
  });
}

void ata_session_release(ata_session* session) noexcept {
  delete session;
}

ata_status ata_session_forward(ata_session* session, const ata_tensor* clip,
                               const ata_cancellation* cancellation, float* logits,
                               size_t logits_count) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(clip, "clip");
    check_logits(session, clip, logits, logits_count);
    copy_logits(session->session.forward(clip->tensor, flag_of(cancellation)), logits);
  });
}

ata_status ata_session_gradients(ata_session* session, const ata_tensor* clip,
                                 const ata_tensor* labels, const ata_cancellation* cancellation,
                                 float* logits, size_t logits_count, float* loss) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(clip, "clip");
    require_pointer(labels, "labels");
    require_pointer(loss, "loss");
    check_logits(session, clip, logits, logits_count);
    const auto result =
        session->session.gradients(clip->tensor, labels->tensor, flag_of(cancellation));
    copy_logits(result.logits, logits);
    *loss = result.loss;
  });
}

ata_status ata_session_get_gradient(const ata_session* session, const char* name,
                                    ata_tensor** gradient) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(name, "name");
    require_pointer(gradient, "gradient");
    *gradient = make_handle(session->session.gradient(name)).release();
  });
}

ata_status ata_session_get_trajectories(const ata_session* session, int32_t block,
                                        ata_tensor** trajectories) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(trajectories, "trajectories");
    *trajectories = make_handle(session->session.trajectories(block)).release();
  });
}

ata_status ata_session_features(ata_session* session, const ata_tensor* clip, int32_t block,
                                const ata_cancellation* cancellation,
                                ata_tensor** features) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(clip, "clip");
    require_pointer(features, "features");
    *features = make_handle(session->session.features(clip->tensor, block, flag_of(cancellation)))
                    .release();
  });
}
