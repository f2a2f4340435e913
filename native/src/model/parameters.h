#ifndef ATA_MODEL_PARAMETERS_H_
#define ATA_MODEL_PARAMETERS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/config.h"
#include "model/vit.h"
#include "tensor/tensor.h"

namespace ata {

/// A parameter tensor, by its name in checkpoints (docs/formats.md, "Checkpoints").
struct ParameterInfo {
  std::string name;
  Shape shape;
};

/// Which of the optional parameters a model has.
struct ParameterGroups {
  /// `time_embed`.
  bool time = true;
  /// `temporal_norm1`, `temporal_attn` and `temporal_fc` of every block.
  bool temporal = true;
  /// `norm_pre`: a normalisation of the embedded tokens, as CLIP's `ln_pre`.
  bool norm_pre = false;

  /// What a mode cannot do without.
  static ParameterGroups needed_by(ata_temporal_mode mode);
};

/// Every parameter of a configuration, in the order of the forward pass.
std::vector<ParameterInfo> list_parameters(const ModelConfig& config,
                                           const ParameterGroups& groups);

/// Those of a temporal step over tokens of width `dim`; names begin with `prefix`, "blocks.3." or
/// so.
std::vector<ParameterInfo> list_temporal_parameters(const std::string& prefix, int64_t dim);

/// Where bind_weights() takes each parameter from.
class ParameterSource {
 public:
  virtual ~ParameterSource() = default;
  virtual Variable tensor(const std::string& name) = 0;
  /// `name`.weight, seen as a matrix, and `name`.bias.
  virtual LinearWeights linear(const std::string& name) = 0;
  /// The classifier, which is read in f32 whatever the model's precision.
  virtual LinearWeights head(const std::string& name) { return linear(name); }
  /// Layer `second` after layer `first`, as two layers or as their product in `first`.
  virtual void chain(const std::string& first, const std::string& second, LinearWeights* first_out,
                     LinearWeights* second_out) {
    *first_out = linear(first);
    *second_out = linear(second);
  }
};

/// Collects the weights that `config.temporal` reads, and `norm_pre` if there is one.
VitWeights bind_weights(const ModelConfig& config, bool norm_pre, ParameterSource& source);

/// Collects the weights of list_temporal_parameters().
TemporalWeights bind_temporal_weights(const std::string& prefix, ParameterSource& source);

/// Named f32 tensors, in the order of list_parameters().
class ParameterSet {
 public:
  void add(const std::string& name, Tensor tensor);
  size_t count() const { return tensors_.size(); }
  bool contains(const std::string& name) const { return index_.count(name) != 0; }
  const std::string& name(size_t index) const { return names_[index]; }
  Tensor& tensor(size_t index) { return tensors_[index]; }
  const Tensor& tensor(size_t index) const { return tensors_[index]; }
  /// Throws ATA_INVALID_ARGUMENT naming an unknown parameter.
  const Tensor& tensor(const std::string& name) const;

 private:
  std::vector<std::string> names_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
};

/// Wraps a ParameterSet's tensors, without copying them, as the variables of one session: several
/// sessions may compute gradients of the same weights at once.
class VariableSource : public ParameterSource {
 public:
  VariableSource(const ParameterSet& parameters, bool requires_gradient)
      : VariableSource(parameters, [=](const std::string&) { return requires_gradient; }) {}
  /// `requires_gradient` decides by the parameter's name; the others are constants.
  VariableSource(const ParameterSet& parameters,
                 std::function<bool(const std::string&)> requires_gradient)
      : parameters_(parameters), requires_gradient_(std::move(requires_gradient)) {}

  Variable tensor(const std::string& name) override;
  LinearWeights linear(const std::string& name) override;
  /// The variables made so far, by parameter. Weights of linear layers are seen as matrices.
  const std::unordered_map<std::string, Variable>& variables() const { return variables_; }

 private:
  const ParameterSet& parameters_;
  std::function<bool(const std::string&)> requires_gradient_;
  std::unordered_map<std::string, Variable> variables_;
};

/// Random initial weights: truncated normal (cut at two deviations) of deviation 0.02 in the head,
/// the class token and the position embedding, of 0.5 in the time embedding, and of
/// 0.02 sqrt(768 / width) in the matrices between them; biases and `temporal_fc` zero; norms one. A
/// parameter's values depend on the seed, its name, its shape and the model's width alone.
Tensor initial_parameter(const ParameterInfo& info, int64_t width, uint64_t seed);

/// Throws ATA_BAD_MODEL naming the tensor and the position of the first NaN or infinity.
void check_finite(const Tensor& tensor, const std::string& name, const std::string& origin);

}  // namespace ata

#endif  // ATA_MODEL_PARAMETERS_H_
