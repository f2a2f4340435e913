#ifndef ATA_MODEL_SESSION_H_
#define ATA_MODEL_SESSION_H_

#include <atomic>
#include <list>
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
/// On a device that records (backend/device.h), the second run of a shape records the pass and
/// later ones repeat it: they queue one piece of work and wait for the results alone.
///
/// A clip is f32 `[B, 3, T, H, W]`, normalised and finite, T, H and W as in the configuration;
/// others are ATA_INVALID_ARGUMENT. `cancelled` may be null; ATA_CANCELLED is thrown between two
/// blocks after it is set. Clips come from the host's memory or the model's device, labels from the
/// host's memory, and results are new tensors there.
class Session {
 public:
  /// `stream`: the caller's queue of the model's device, which outlives the session; null: one of
  /// the session's own. Errors as of Device::wrap_stream().
  explicit Session(std::shared_ptr<const Model> model, void* stream = nullptr);

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
  // What a pass computes, in the device's memory.
  struct Results {
    /// f64 `[1]`: the sum of the clip's squares; empty where the clip is checked on the host.
    Tensor clip_squares;
    Tensor logits;
    Tensor class_token;
    std::vector<Trajectories> trajectories;
  };
  // A recorded pass with its memory, which nothing else uses.
  struct RecordedPass {
    std::shared_ptr<Allocator> workspace;
    AlignmentState alignment;
    Tensor clip;
    Results results;
    std::unique_ptr<Recording> work;
  };
  // What runs on clips of one shape share.
  struct ShapeState {
    Shape shape;
    AlignmentState alignment;
    /// A pass has run, so that the workspace has the memory that another needs.
    bool has_run = false;
    /// Something in the pass keeps it from being recorded.
    bool unrecordable = false;
    std::unique_ptr<RecordedPass> recorded;
  };
  // Recorded passes of so many shapes are kept.
  static constexpr size_t kRecordedShapes = 4;

  void require_features(int64_t block) const;
  void require_trajectories(int64_t block) const;
  ShapeState& state_for(const Shape& shape);
  Context make_context(Tape* tape, const std::atomic<bool>* cancelled);
  Results compute(const Context& context, AlignmentState& alignment, const Tensor& clip) const;
  bool has_recorded(ShapeState& state);
  Outputs classify(ShapeState& state, const Tensor& clip, const Request& request,
                   const std::atomic<bool>* cancelled);

  std::shared_ptr<const Model> model_;
  std::shared_ptr<Stream> stream_;
  /// Of the passes that are not recorded, whatever their shapes; null until there is one.
  std::shared_ptr<Allocator> workspace_;
  /// The shapes of the last runs, the newest in front.
  std::list<ShapeState> states_;
  std::vector<Trajectories> trajectories_;
  /// Parameters with their gradients, of the last gradients().
  std::unordered_map<std::string, Variable> parameters_;
};

}  // namespace ata

#endif  // ATA_MODEL_SESSION_H_
