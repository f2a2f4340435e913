#ifndef ATA_MODEL_TEMPORAL_BLOCK_H_
#define ATA_MODEL_TEMPORAL_BLOCK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "model/parameters.h"
#include "model/temporal_step.h"
#include "ops/cpu_device.h"

namespace ata {

/// What a TemporalBlock is made of; see ata_temporal_block_options.
struct TemporalBlockOptions {
  int64_t channels = 0;
  /// 0: channels / 64.
  int64_t heads = 0;
  AlignmentOptions alignment = {};
  ata_precision precision = ATA_PRECISION_F32;
  Device* device = &cpu_device();
  /// Seed of the initial weights.
  uint64_t seed = 0;
};

/// The temporal step on its own, to plug into any backbone:
/// features in, features of the same shape out, forward and backward, with weights of its own.
/// `temporal_fc` starts at zero, so that at first features leave as they came.
///
/// Features are f32 `[B, T, N, D]`, or feature maps `[B, T, D, H, W]`, finite. They and gradients
/// come from the host's memory or the block's device, and what is made of them goes where they came
/// from; all else is in the host's memory. One thread at a time.
class TemporalBlock {
 public:
  /// Throws ATA_INVALID_ARGUMENT when an option is out of range.
  explicit TemporalBlock(const TemporalBlockOptions& options);

  Device& device() const { return *options_.device; }

  /// The features after attention over time, a new tensor. With `for_backward` what backward()
  /// needs is kept until then.
  Tensor forward(const Tensor& features, bool for_backward);
  /// The same along trajectories i32 `[B, T, N]` that are given; several may meet in a patch.
  Tensor forward_along(const Tensor& features, const Tensor& trajectories, bool for_backward);
  /// The gradient of the features of the last forward(for_backward), given that of its result;
  /// gradient() then has those of the parameters. Once for each forward.
  Tensor backward(const Tensor& gradient);

  /// `temporal_norm1.weight` and so on, as in a block of a checkpoint; in the device's memory.
  /// Writing to a tensor changes the block.
  const ParameterSet& parameters() const { return parameters_; }
  /// The gradient of a parameter, from the last backward().
  Tensor gradient(const std::string& name) const;
  /// Trajectories i32 `[B, T, N]` of the last forward(). ATA_UNSUPPORTED if that was `soft`.
  Tensor trajectories() const;

 private:
  Context context(Tape* tape = nullptr) const { return {.stream = stream_, .tape = tape}; }
  /// `trajectories`: those to follow, or empty.
  Tensor run(const Tensor& features, const Tensor& trajectories, bool for_backward);

  TemporalBlockOptions options_;
  ParameterSet parameters_;
  std::shared_ptr<Stream> stream_;
  AlignmentState alignment_;
  /// Of the last forward.
  Shape shape_;
  std::optional<Trajectories> trajectories_;
  /// Of a forward whose backward is to come: the features and the result as rows `[B*T*N, D]`, and
  /// the parameters.
  Tape tape_;
  Variable input_;
  Variable output_;
  std::unordered_map<std::string, Variable> variables_;
  /// The parameters of the last backward, with their gradients.
  std::unordered_map<std::string, Variable> differentiated_;
};

}  // namespace ata

#endif  // ATA_MODEL_TEMPORAL_BLOCK_H_
