#ifndef ATA_MODEL_PARAMETER_WALK_H_
#define ATA_MODEL_PARAMETER_WALK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/parameters.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"

namespace ata {

/// Deviation of the initial values of embeddings and of the head.
constexpr float kInitialDeviation = 0.02f;
/// That of the matrices between tokens of that width: kInitialDeviation at width 768, and inversely
/// as its root at others, so that what a product adds up to is neither smaller nor larger. Narrow
/// models would hardly learn at first.
float matrix_deviation(int64_t width);

struct LinearDeclaration {
  /// Of the weight's initial values; 0: they are zero. Biases are zero.
  float deviation = 0.0f;
  /// The weight's shape in checkpoints where it is not `[out, in]`, as a convolution's; its first
  /// extent is `out`.
  Shape weight_shape = {};
  /// Whether it is read in f32 whatever the model's precision.
  bool full_precision = false;
};

/// A walk over the parameters of a network, in the order of its forward pass. Whoever builds a
/// network declares each of its parameters to the walk, once, and gets its weights: those of a
/// model, those that a trainer differentiates, packed ones of a file; or none, where the parameters
/// are only listed. From the list they are initialised, counted and grouped.
class ParameterWalk {
 public:
  virtual ~ParameterWalk() = default;

  /// The layer that parameters belong to from now on, for layer-wise learning rates: 0 for
  /// embeddings, then one after another towards the head.
  void begin_layer(int layer) { layer_ = layer; }

  /// Whether the weights have a parameter that a network of this configuration may lack.
  virtual bool has(const std::string& name) const = 0;
  /// Whether the weights have a parameter that the mode does not read, and it is to be kept.
  virtual bool keeps(const std::string& name) const = 0;

  /// A tensor that is no layer's: an embedding.
  Variable tensor(const std::string& name, const Shape& shape, float deviation = kInitialDeviation);
  /// `name`.weight and `name`.bias, f32 `[dim]`.
  NormWeights norm(const std::string& name, int64_t dim);
  /// `name`.weight, seen as a matrix `[out, in]`, and `name`.bias.
  LinearWeights linear(const std::string& name, int64_t out, int64_t in,
                       const LinearDeclaration& declaration);

  struct LinearLayer {
    ParameterInfo weight;
    ParameterInfo bias;
    bool full_precision;
  };
  LinearLayer describe_linear(const std::string& name, int64_t out, int64_t in,
                              const LinearDeclaration& declaration) const;
  /// Two layers with nothing between them but dropout, as they are or as their product in `first`;
  /// then `second` stays as it was made.
  virtual void linear_chain(const LinearLayer& first, const LinearLayer& second,
                            LinearWeights* first_out, LinearWeights* second_out);

 protected:
  virtual Variable take(const ParameterInfo& parameter) = 0;
  virtual LinearWeights take(const LinearLayer& layer) = 0;

 private:
  int layer_ = 0;
};

/// Only lists what is declared; the weights are undefined.
class ListWalk : public ParameterWalk {
 public:
  /// `stored`: whether the file that the list is for has a parameter; none for a new model.
  explicit ListWalk(std::function<bool(const std::string&)> stored = {})
      : stored_(std::move(stored)) {}

  bool has(const std::string& name) const override { return stored_ && stored_(name); }
  bool keeps(const std::string& name) const override { return has(name); }
  std::vector<ParameterInfo> list() && { return std::move(list_); }

 protected:
  Variable take(const ParameterInfo& parameter) override;
  LinearWeights take(const LinearLayer& layer) override;

 private:
  std::function<bool(const std::string&)> stored_;
  std::vector<ParameterInfo> list_;
};

/// Wraps a ParameterSet's tensors, without copying them, as the variables of one session: several
/// sessions may compute gradients of the same weights at once.
class VariableWalk : public ParameterWalk {
 public:
  VariableWalk(const ParameterSet& parameters, bool requires_gradient)
      : VariableWalk(parameters, [=](const std::string&) { return requires_gradient; }) {}
  /// `requires_gradient` decides by the parameter's name; the others are constants.
  VariableWalk(const ParameterSet& parameters,
               std::function<bool(const std::string&)> requires_gradient)
      : parameters_(parameters), requires_gradient_(std::move(requires_gradient)) {}

  bool has(const std::string& name) const override { return parameters_.contains(name); }
  bool keeps(const std::string&) const override { return false; }
  /// The variables made so far, by parameter. Weights of linear layers are seen as matrices.
  const std::unordered_map<std::string, Variable>& variables() const { return variables_; }

 protected:
  Variable take(const ParameterInfo& parameter) override;
  LinearWeights take(const LinearLayer& layer) override;

 private:
  const ParameterSet& parameters_;
  std::function<bool(const std::string&)> requires_gradient_;
  std::unordered_map<std::string, Variable> variables_;
};

}  // namespace ata

#endif  // ATA_MODEL_PARAMETER_WALK_H_
