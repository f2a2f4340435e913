/// @file model.hpp
/// Part of ata.hpp: models, sessions, predictions.
#ifndef ATA_MODEL_HPP_
#define ATA_MODEL_HPP_

#include <algorithm>
#include <ata/tensor.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// Configuration of a usual size of an architecture, "vit-base"; see ata_model_config_init().
inline ata_model_config architecture(const std::string& size) {
  ata_model_config config;
  detail::check(ata_model_config_init(size.c_str(), &config, sizeof config));
  return config;
}

/// What a configuration comes to: width, blocks, patches, parameters.
inline ata_model_dimensions dimensions(const ata_model_config& config) {
  ata_model_dimensions dimensions = {};
  dimensions.struct_size = sizeof dimensions;
  detail::check(ata_model_config_get_dimensions(&config, &dimensions));
  return dimensions;
}

/// Weights and configuration. Any number of sessions and threads may use one model at once.
class Model {
 public:
  /// Takes ownership of a handle of the C API.
  explicit Model(ata_model* handle) : handle_(handle) {}

  /// Loads a checkpoint; see ata_model_load().
  static Model load(const std::string& path,
                    const ata_model_options& options = defaults<ata_model_options>()) {
    return Model(detail::make<ata_model>(
        [&](ata_model** out) { return ata_model_load(path.c_str(), &options, out); }));
  }

  /// Loads a checkpoint that is in memory, which is not kept; see ata_model_load_memory(). `name`
  /// is for messages.
  static Model load_memory(std::span<const std::byte> content,
                           const ata_model_options& options = defaults<ata_model_options>(),
                           const std::string& name = {}) {
    return Model(detail::make<ata_model>([&](ata_model** out) {
      return ata_model_load_memory(content.data(), content.size(), name.c_str(), &options, out);
    }));
  }

  /// A trainable model with random weights, on a device; see ata_model_create().
  static Model create(const ata_model_config& config, uint64_t seed,
                      const std::string& device = "cpu") {
    return Model(detail::make<ata_model>(
        [&](ata_model** out) { return ata_model_create(&config, seed, device.c_str(), out); }));
  }

  /// Name of the device that the model is on; its sessions and trainers run there.
  std::string device() const {
    const char* name = nullptr;
    detail::check(ata_model_get_device(handle_.get(), &name));
    return name;
  }

  /// Reads a checkpoint of another project; see ata_model_import(). import_notes() then tells what
  /// became of the file.
  static Model import_from(const std::string& path,
                           const ata_import_options& options = defaults<ata_import_options>()) {
    return Model(detail::make<ata_model>(
        [&](ata_model** out) { return ata_model_import(path.c_str(), &options, out); }));
  }

  /// A copy of this trainable model with a new head; see ata_model_replace_head().
  Model replace_head(int32_t classes, uint64_t seed) const {
    return Model(detail::make<ata_model>([&](ata_model** out) {
      return ata_model_replace_head(handle_.get(), classes, seed, out);
    }));
  }

  /// Writes a trainable model's checkpoint; `path` is never half-written.
  void save(const std::string& path) const {
    detail::check(ata_model_save(handle_.get(), path.c_str()));
  }

  /// Its strings are valid while this model is.
  ata_model_config config() const {
    ata_model_config config = {};
    config.struct_size = sizeof config;
    detail::check(ata_model_get_config(handle_.get(), &config));
    return config;
  }

  /// Name of a class, if the model has names.
  std::optional<std::string> label(int32_t index) const {
    const char* label = nullptr;
    detail::check(ata_model_get_label(handle_.get(), index, &label));
    return label ? std::optional<std::string>(label) : std::nullopt;
  }

  /// Names the classes, of a model that no session uses yet.
  void set_labels(const std::vector<std::string>& labels) {
    std::vector<const char*> pointers(labels.size());
    std::transform(labels.begin(), labels.end(), pointers.begin(),
                   [](const std::string& label) { return label.c_str(); });
    detail::check(ata_model_set_labels(handle_.get(), pointers.data(), pointers.size()));
  }

  /// Names of the parameter tensors, as in the checkpoint.
  std::vector<std::string> parameter_names() const {
    std::vector<std::string> result(ata_model_parameter_count(handle_.get()));
    for (size_t i = 0; i < result.size(); ++i) {
      const char* name = nullptr;
      detail::check(ata_model_get_parameter_name(handle_.get(), i, &name));
      result[i] = name;
    }
    return result;
  }

  /// How many values the parameter tensors hold together.
  int64_t value_count() const noexcept { return ata_model_value_count(handle_.get()); }

  /// Something to know about how the model was imported; see ata_model_get_import_note().
  struct ImportNote {
    ata_import_note_kind kind;  ///< What became of it.
    std::string subject;        ///< The field, the weights or the tensor.
    std::string text;           ///< One line for people.
  };

  /// What became of the imported file; empty for a model that was not imported.
  std::vector<ImportNote> import_notes() const {
    std::vector<ImportNote> result(ata_model_import_note_count(handle_.get()));
    for (size_t i = 0; i < result.size(); ++i) {
      const char* subject = nullptr;
      const char* text = nullptr;
      detail::check(ata_model_get_import_note(handle_.get(), i, &result[i].kind, &subject, &text));
      result[i].subject = subject;
      result[i].text = text;
    }
    return result;
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_model* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_model, ata_model_release> handle_;
};

/// Workspace of one sequence of runs on a model. One thread at a time.
class Session {
 public:
  /// Keeps the model's weights alive; the Model itself may go. Begin with
  /// `defaults<ata_session_options>()`.
  explicit Session(const Model& model,
                   const ata_session_options& options = defaults<ata_session_options>())
      : handle_(detail::make<ata_session>(
            [&](ata_session** out) { return ata_session_create(model.get(), &options, out); })),
        classes_(model.config().classes),
        frames_(model.config().frames),
        dimensions_(dimensions(model.config())) {}

  /// Classifies clips f32 `[B, 3, T, H, W]`, normalised. Returns B x classes logits.
  std::vector<float> forward(const Tensor& clip, const Cancellation* cancellation = nullptr) {
    std::vector<float> logits(logits_count(clip));
    forward(clip, logits, cancellation);
    return logits;
  }

  /// The same into the caller's memory of B x classes values.
  void forward(const Tensor& clip, std::span<float> logits,
               const Cancellation* cancellation = nullptr) {
    detail::check(ata_session_forward(handle_.get(), clip.get(), detail::raw(cancellation),
                                      logits.data(), logits.size()));
  }

  /// Runs the model once and fills the caller's buffers with all that they ask for; see
  /// ata_session_run(). Begin with `defaults<ata_session_outputs>()`.
  void run(const Tensor& clip, const ata_session_outputs& outputs,
           const Cancellation* cancellation = nullptr) {
    detail::check(ata_session_run(handle_.get(), clip.get(), detail::raw(cancellation), &outputs));
  }

  /// Result of gradients().
  struct Loss {
    float loss;                 ///< Mean cross-entropy.
    std::vector<float> logits;  ///< B x classes.
  };

  /// Computes the loss against labels i64 `[B]` and the gradient of every parameter, which
  /// gradient() then reads. The model must be trainable.
  Loss gradients(const Tensor& clip, const Tensor& labels,
                 const Cancellation* cancellation = nullptr) {
    Loss result{0.0f, std::vector<float>(logits_count(clip))};
    detail::check(ata_session_compute_gradients(handle_.get(), clip.get(), labels.get(),
                                                detail::raw(cancellation), result.logits.data(),
                                                result.logits.size(), &result.loss));
    return result;
  }

  /// A gradient of the last gradients(): f32, of the parameter's shape.
  Tensor gradient(const std::string& parameter) const {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_session_get_gradient(handle_.get(), parameter.c_str(), out);
    }));
  }

  /// Trajectories i32 `[B, T, N]` that a block used in the last run; see
  /// ata_session_get_trajectories().
  Tensor trajectories(int32_t block) const {
    return Tensor(detail::make<ata_tensor>(
        [&](ata_tensor** out) { return ata_session_get_trajectories(handle_.get(), block, out); }));
  }

  /// The patch tokens f32 `[B, T, N, D]` that enter a block, depth for those that leave the last.
  /// run() gives those of several blocks in one pass.
  Tensor features(const Tensor& clip, int32_t block, const Cancellation* cancellation = nullptr) {
    Tensor result =
        Tensor::zeros<float>({batch_of(clip), frames_, dimensions_.patches, dimensions_.dim});
    auto outputs = defaults<ata_session_outputs>();
    outputs.feature_blocks = &block;
    outputs.feature_block_count = 1;
    outputs.features = result.data<float>().data();
    outputs.features_count = result.data<float>().size();
    run(clip, outputs, cancellation);
    return result;
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_session* get() const noexcept { return handle_.get(); }

 private:
  size_t logits_count(const Tensor& clip) const {
    return static_cast<size_t>(batch_of(clip) * classes_);
  }

  /// 0 for what is no clip, which the library refuses: room for it would be as large as its extent.
  static int64_t batch_of(const Tensor& clip) { return clip.rank() == 5 ? clip.shape()[0] : 0; }

  detail::Handle<ata_session, ata_session_release> handle_;
  int64_t classes_;
  int64_t frames_;
  ata_model_dimensions dimensions_;
};

/// A class and how probable a model holds it.
struct Prediction {
  int32_t index;      ///< The class; Model::label() has its name.
  float probability;  ///< 0 to 1.
};

/// The `count` most probable classes of one clip's logits, best first; fewer if there are fewer.
inline std::vector<Prediction> top_k(std::span<const float> logits, size_t count) {
  if (logits.empty()) return {};
  const float largest = *std::max_element(logits.begin(), logits.end());
  const double sum = std::accumulate(
      logits.begin(), logits.end(), 0.0,
      [&](double total, float logit) { return total + std::exp(double{logit} - largest); });
  std::vector<Prediction> result(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    result[i] = {static_cast<int32_t>(i),
                 static_cast<float>(std::exp(double{logits[i]} - largest) / sum)};
  }
  // Ties go to the lower index, so that the order is the same everywhere.
  std::stable_sort(result.begin(), result.end(), [](const Prediction& a, const Prediction& b) {
    return a.probability > b.probability;
  });
  result.resize(std::min(count, result.size()));
  return result;
}

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_MODEL_HPP_
