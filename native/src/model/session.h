#ifndef ATA_MODEL_SESSION_H_
#define ATA_MODEL_SESSION_H_

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/model.h"

namespace ata {

/// A sequence of runs on one model: owns the workspace, which later runs of a shape
/// reuse, and what the last run left to be read. One thread at a time; any number of sessions may
/// share a model, and give the same bits as one after another.
///
/// A clip is f32 `[B, 3, T, H, W]`, normalised and finite, T, H and W as in the configuration;
/// others are ATA_INVALID_ARGUMENT. `cancelled` may be null; ATA_CANCELLED is thrown between two
/// blocks after it is set. Clips come from the host's memory or the model's device, labels from the
/// host's memory, and results are new tensors there.
class Session {
 public:
  explicit Session(std::shared_ptr<const Model> model);

  const Model& model() const { return *model_; }

  /// What a run is to give. Blocks in any order, each once: features 0 to depth (what leaves the
  /// last), trajectories 0 to depth - 1.
  struct Request {
    bool logits = false;
    bool class_token = false;
    std::span<const int32_t> features = {};
    std::span<const int32_t> trajectories = {};
  };
  struct Outputs {
    /// f32 `[B, classes]`.
    Tensor logits;
    /// f32 `[B, D]`: what the head reads.
    Tensor class_token;
    /// For each block asked for, patch tokens f32 `[B, T, N, D]` that enter it.
    std::vector<Tensor> features;
    /// For each block asked for, i32 `[B, T, N]`; errors as of trajectories(), before the run.
    std::vector<Tensor> trajectories;
  };
  /// All that is asked for from one pass, which goes no further than that needs; the bits are those
  /// that each has alone.
  Outputs run(const Tensor& clip, const Request& request,
              const std::atomic<bool>* cancelled = nullptr);

  /// Logits f32 `[B, classes]`.
  Tensor forward(const Tensor& clip, const std::atomic<bool>* cancelled = nullptr);

  struct Loss {
    Tensor logits;
    /// Mean cross-entropy.
    float loss;
  };
  /// Logits, loss, and the loss's gradient for every parameter. The model must be trainable.
  /// `labels` is i64 `[B]`, of the classes.
  Loss gradients(const Tensor& clip, const Tensor& labels,
                 const std::atomic<bool>* cancelled = nullptr);

  /// The gradient of a parameter, f32 of its shape, from the last gradients(); zero when the mode
  /// does not read the parameter.
  Tensor gradient(const std::string& name) const;

  /// Trajectories i32 `[B, T, N]` of a block in the last run. ATA_UNSUPPORTED unless in mode
  /// `ata`; ATA_INVALID_STATE for a block that the last run did not reach.
  Tensor trajectories(int64_t block) const;

  /// Patch tokens f32 `[B, T, N, D]` that enter `block`; `depth` for those that leave the last.
  Tensor features(const Tensor& clip, int32_t block, const std::atomic<bool>* cancelled = nullptr);

 private:
  void require_features(int64_t block) const;
  void require_trajectories(int64_t block) const;
  Context make_context(const Tensor& clip, Tape* tape, const std::atomic<bool>* cancelled);

  std::shared_ptr<const Model> model_;
  std::shared_ptr<Stream> stream_;
  AlignmentState alignment_;
  /// Shape of the clip that the stream's workspace has blocks for.
  Shape clip_shape_;
  std::vector<Trajectories> trajectories_;
  /// Parameters with their gradients, of the last gradients().
  std::unordered_map<std::string, Variable> parameters_;
};

}  // namespace ata

#endif  // ATA_MODEL_SESSION_H_
