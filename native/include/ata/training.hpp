/// @file training.hpp
/// Part of ata.hpp: training.
#ifndef ATA_TRAINING_HPP_
#define ATA_TRAINING_HPP_

#include <ata/model.hpp>
#include <cstdint>
#include <span>
#include <string>

namespace ata {
inline namespace hpp1 {

/// Trains a model: gradients, optimizer, average of weights. One thread at a time; while a step
/// runs, no session of the model may run.
class Trainer {
 public:
  /// Updates the trainable `model` in place and keeps its weights alive.
  explicit Trainer(Model& model, const ata_train_options& options = defaults<ata_train_options>())
      : handle_(detail::make<ata_trainer>(
            [&](ata_trainer** out) { return ata_trainer_create(model.get(), &options, out); })) {}

  /// Runs forward and backward and adds `weight` times the gradient; see ata_trainer_accumulate(),
  /// also for how another thread brings the next clips to a GPU meanwhile (Tensor::copy_to()).
  /// @param clips f32 `[B, 3, T, H, W]`.
  /// @param targets i64 `[B]` labels, or f32 `[B, classes]` probabilities.
  /// @param weight What the gradient counts beside those of other calls before update().
  /// @param logits Receives B x classes values; empty for none.
  /// @param cancellation Stops the call from another thread; null for none.
  /// @return The mean loss.
  float accumulate(const Tensor& clips, const Tensor& targets, float weight = 1.0f,
                   std::span<float> logits = {}, const Cancellation* cancellation = nullptr) {
    float loss = 0;
    detail::check(ata_trainer_accumulate(
        handle_.get(), clips.get(), targets.get(), weight, detail::raw(cancellation),
        logits.empty() ? nullptr : logits.data(), logits.size(), &loss));
    return loss;
  }

  /// Updates the weights by what was accumulated. Returns the gradient's norm before clipping.
  double update(double learning_rate) {
    double norm = 0;
    detail::check(ata_trainer_update(handle_.get(), learning_rate, &norm));
    return norm;
  }

  /// How many updates there were, those before load() included.
  int64_t update_count() const noexcept { return ata_trainer_update_count(handle_.get()); }

  /// A copy of the moving average of the weights, or of the weights if no average is kept.
  Model averaged_model() const {
    return Model(detail::make<ata_model>(
        [&](ata_model** out) { return ata_trainer_get_averaged_model(handle_.get(), out); }));
  }

  /// Writes what training needs to continue bit for bit, and the caller's own `state`.
  void save(const std::string& path, const std::string& state = "") const {
    detail::check(ata_trainer_save(handle_.get(), path.c_str(), state.c_str()));
  }

  /// Restores what save() wrote. On failure the trainer is unchanged.
  void load(const std::string& path) {
    detail::check(ata_trainer_load(handle_.get(), path.c_str()));
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_trainer* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_trainer, ata_trainer_release> handle_;
};

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_TRAINING_HPP_
