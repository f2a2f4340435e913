#ifndef ATA_MODEL_NETWORK_H_
#define ATA_MODEL_NETWORK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/backbone.h"

namespace ata {

/// The layers of a model with their weights: a backbone, and the classifier over what it gives.
class Network {
 public:
  Network(const ModelConfig& config, ParameterWalk& walk);

  const Backbone& backbone() const { return *backbone_; }
  const LinearWeights& head() const { return head_; }

 private:
  std::unique_ptr<const Backbone> backbone_;
  LinearWeights head_;
};

/// Whether a parameter is one of the classifier's.
bool is_head(const std::string& parameter);

/// Every parameter of a configuration, in the order of the forward pass. `stored`: whether the file
/// that the list is for has a parameter, of those that a network may lack or a mode does not read;
/// none for a new model.
std::vector<ParameterInfo> list_parameters(const ModelConfig& config,
                                           std::function<bool(const std::string&)> stored = {});

/// Throws ATA_INVALID_ARGUMENT unless `clip` is f32 `[B, 3, T, H, W]`, B at least 1, T, H and W as
/// in the configuration.
void check_clip_shape(const ModelConfig& config, const Tensor& clip);
/// Throws ATA_INVALID_ARGUMENT unless a clip was found to be finite.
void require_finite_clip(bool finite);
/// Both; waits for a device that the clip is on.
void check_clip(const Context& context, const ModelConfig& config, const Tensor& clip);

/// How a model that runs in that precision aligns frames.
AlignmentOptions alignment_options(const ModelConfig& config, ata_precision precision);

/// One forward pass over clips. Holds references: network, config and state must outlive it, and
/// with TrainingPass::recompute it must outlive the tape's backward, in which blocks run again.
class Forward {
 public:
  /// `training` needs a tape, and weights whose layers are not merged. `state`: see TemporalStage.
  Forward(const Context& context, const Network& network, const ModelConfig& config,
          ata_precision precision, AlignmentState& state, const TrainingPass& training = {});

  /// Tokens that enter the first block; clip f32 `[B, 3, T, H, W]`.
  Variable embed(const Variable& clip);
  /// Runs block `index`.
  Variable block(const Variable& tokens, int64_t index);
  /// From the tokens that enter the last block, what the head reads, f32 `[B, D]`; see
  /// Backbone::class_token().
  Variable class_token(const Variable& tokens, Variable* last = nullptr);
  /// Logits f32 `[B, classes]` of class tokens.
  Variable head(const Variable& class_token);
  /// The whole pass: logits f32 `[B, classes]`.
  Variable logits(const Variable& clip);
  /// The patch rows of tokens, f32 `[B*T*N, D]`.
  Variable patch_rows(const Variable& tokens) const;
  /// Aligns the tokens that enter block `index` as the block would, and goes no further. Mode `ata`
  /// with a method that has trajectories.
  void align(const Variable& tokens, int64_t index);

  /// Trajectories of each block run so far. Empty unless in mode `ata`.
  const std::vector<Trajectories>& trajectories() const { return pass_.temporal.trajectories(); }

 private:
  /// Runs the block on a tape of its own, which it drops; backward runs it again.
  Variable recomputed_block(const Variable& tokens, int64_t index);

  const Network& network_;
  BackbonePass pass_;
};

}  // namespace ata

#endif  // ATA_MODEL_NETWORK_H_
