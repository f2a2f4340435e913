#ifndef ATA_TRAIN_TRAINER_H_
#define ATA_TRAIN_TRAINER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"
#include "train/optimizer.h"
#include "train/options.h"

namespace ata {

/// Trains a model in place: accumulates gradients batch by batch, then updates the weights.
///
/// Each of the two calls waits for the device once, at its end. On a device that records
/// (backend/device.h), forward and backward of the second batch of a shape are recorded, and the
/// batches of that shape that follow repeat them.
///
/// The same sequence of calls gives the same bits on any number of threads, and whether or not it
/// was interrupted by save() and load(). One thread at a time; while a call runs, no session of the
/// model may run.
class Trainer {
 public:
  /// Throws ATA_UNSUPPORTED when the model is not trainable, ATA_INVALID_ARGUMENT when an option is
  /// out of range or a pattern matches nothing.
  Trainer(std::shared_ptr<Model> model, const TrainOptions& options);

  const Model& model() const { return *model_; }

  struct Batch {
    /// f32 `[B, classes]`, in the host's memory.
    Tensor logits;
    /// Mean cross-entropy, label smoothing included.
    float loss;
  };
  /// Runs forward and backward on clips of the host or of the model's device, f32 `[B, 3, T, H,
  /// W]`, with targets of the host, i64 `[B]` or f32 `[B, classes]` (rows that sum to 1), and adds
  /// `weight` times the gradient of the mean loss to what was accumulated since the last update.
  /// When it throws, nothing is accumulated, and what had been stays. `cancelled` may be null;
  /// ATA_CANCELLED is thrown between two blocks after it is set, or before a recorded pass.
  Batch accumulate(const Tensor& clips, const Tensor& targets, float weight,
                   const std::atomic<bool>* cancelled = nullptr);

  /// Updates the weights from the accumulated gradient, clears it, and returns its global norm
  /// before clipping. Throws ATA_NOT_FINITE when the gradient is not finite (it is cleared, the
  /// weights stay), ATA_INVALID_STATE when nothing was accumulated, ATA_INVALID_ARGUMENT when the
  /// rate is out of range. When the device fails, weights and gradient are as before, so that the
  /// call can be repeated; unless it is lost with the whole update under way: then every call but
  /// load() is ATA_INVALID_STATE.
  double update(double learning_rate);

  int64_t update_count() const { return optimizer_.update_count(); }

  /// A new trainable model of the averaged weights; of the weights when no average is kept.
  std::shared_ptr<Model> averaged_model() const;

  /// Writes all that training needs to continue bit for bit, atomically; a gradient accumulated so
  /// far included. `state` is the caller's, or null.
  void save(const std::string& path, const char* state) const;
  /// Restores what save() wrote for an equal configuration and equal options. Throws ATA_BAD_MODEL
  /// for a malformed file, ATA_INVALID_ARGUMENT naming what differs; then nothing has changed.
  void load(const std::string& path);

 private:
  /// What a pass reads, in the device's memory.
  struct Inputs {
    Tensor clips;
    Tensor targets;
    /// See TrainingPass.
    Tensor batch_stream;
  };
  /// What a pass computes besides the gradient.
  struct Results {
    /// f64 `[1]`: the sum of the clips' squares; empty where they are checked on the host.
    Tensor clip_squares;
    Tensor logits;
    Tensor loss;
  };
  /// What batches of one shape share.
  struct Pass {
    Shape clips;
    Shape targets;
    /// Which variables it gives a gradient.
    std::vector<bool> present = {};
    /// A pass has run, so that the workspace has the memory that another needs.
    bool has_run = false;
    /// Something in the pass keeps it from being recorded.
    bool unrecordable = false;
    /// The recorded pass, or null, its memory, and where it reads and writes.
    std::shared_ptr<Allocator> memory = nullptr;
    std::unique_ptr<Recording> work = nullptr;
    Inputs inputs = {};
    Results results = {};
  };

  /// Forms the gradient of the batch's mean loss in gradient_.
  Batch run(const Tensor& clips, const Tensor& targets, const std::atomic<bool>* cancelled);
  /// Queues forward and backward.
  Results compute(const Context& stream_context, const Inputs& inputs, AlignmentState& alignment);
  bool has_recorded(const Tensor& clips, const Tensor& targets);
  void check_targets(const Tensor& targets, int64_t batch) const;
  /// The part of a flat gradient that is parameter i's, as a variable sees it.
  Tensor slice_of(const Tensor& flat, size_t i) const;
  /// The accumulated gradients in the optimizer's order; empty for parameters that have none.
  std::vector<Tensor> accumulated_gradients() const;
  /// Sets gradient_ to zero where parameters took no part in the last backward, and notes those
  /// that did.
  void finish_gradient();

  std::shared_ptr<Model> model_;
  TrainOptions options_;
  std::shared_ptr<Stream> stream_;
  /// On that stream, for what outlives a batch.
  Context memory_;
  Optimizer optimizer_;
  /// The weights as this trainer differentiates them, and the trained ones of them by the
  /// optimizer's order; undefined for parameters that the mode does not read.
  std::unique_ptr<const Network> network_;
  std::vector<Variable> variables_;
  /// Where each variable's slice of a flat gradient begins; the last is the gradient's length.
  std::vector<int64_t> offsets_;
  /// Gradients of all variables, one f32 tensor each, made when first needed: what a batch forms
  /// its own in, always there, since recorded passes write to it; and the weighted sum of several.
  Tensor gradient_;
  Tensor sum_;
  /// That of the two which was accumulated since the last update, or empty, and which parameters
  /// took part.
  Tensor accumulated_;
  std::vector<bool> present_;
  /// f32 `[1]`: 1, the gradient of the loss.
  Tensor one_;
  AlignmentState alignment_;
  Pass pass_;
  /// Batches accumulated since the beginning: the counter of the random draws.
  uint64_t batch_count_ = 0;
};

}  // namespace ata

#endif  // ATA_TRAIN_TRAINER_H_
