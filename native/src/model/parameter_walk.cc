#include "model/parameter_walk.h"

#include <cmath>

namespace ata {
namespace {

constexpr float kWidthOfInitialDeviation = 768;

}  // namespace

float matrix_deviation(int64_t width) {
  return kInitialDeviation * std::sqrt(kWidthOfInitialDeviation / static_cast<float>(width));
}

Variable ParameterWalk::tensor(const std::string& name, const Shape& shape, float deviation) {
  return take(ParameterInfo{.name = name,
                            .shape = shape,
                            .kind = ParameterKind::kEmbedding,
                            .layer = layer_,
                            .deviation = deviation});
}

NormWeights ParameterWalk::norm(const std::string& name, int64_t dim) {
  ParameterInfo scale = {.name = name + ".weight",
                         .shape = {dim},
                         .kind = ParameterKind::kNorm,
                         .layer = layer_,
                         .mean = 1.0f};
  ParameterInfo shift = scale;
  shift.name = name + ".bias";
  shift.mean = 0.0f;
  const Variable gamma = take(scale);
  return {gamma, take(shift)};
}

LinearWeights ParameterWalk::linear(const std::string& name, int64_t out, int64_t in,
                                    const LinearDeclaration& declaration) {
  return take(describe_linear(name, out, in, declaration));
}

ParameterWalk::LinearLayer ParameterWalk::describe_linear(
    const std::string& name, int64_t out, int64_t in, const LinearDeclaration& declaration) const {
  return {.weight = {.name = name + ".weight",
                     .shape = declaration.weight_shape.rank() > 0 ? declaration.weight_shape
                                                                  : Shape{out, in},
                     .kind = ParameterKind::kMatrix,
                     .layer = layer_,
                     .deviation = declaration.deviation},
          .bias = {.name = name + ".bias",
                   .shape = {out},
                   .kind = ParameterKind::kBias,
                   .layer = layer_},
          .full_precision = declaration.full_precision};
}

void ParameterWalk::linear_chain(const LinearLayer& first, const LinearLayer& second,
                                 LinearWeights* first_out, LinearWeights* second_out) {
  *first_out = take(first);
  *second_out = take(second);
}

Variable ListWalk::take(const ParameterInfo& parameter) {
  list_.push_back(parameter);
  return {};
}

LinearWeights ListWalk::take(const LinearLayer& layer) {
  list_.push_back(layer.weight);
  list_.push_back(layer.bias);
  return {};
}

Variable VariableWalk::take(const ParameterInfo& parameter) {
  Variable& variable = variables_[parameter.name];
  variable = Variable(parameters_.tensor(parameter.name), requires_gradient_(parameter.name));
  return variable;
}

LinearWeights VariableWalk::take(const LinearLayer& layer) {
  const Tensor& weight = parameters_.tensor(layer.weight.name);
  LinearWeights weights;
  weights.out_features = weight.dim(0);
  weights.in_features = weight.count() / weights.out_features;
  weights.weight = Variable(weight.reshape({weights.out_features, weights.in_features}),
                            requires_gradient_(layer.weight.name));
  variables_[layer.weight.name] = weights.weight;
  weights.bias = take(layer.bias);
  return weights;
}

}  // namespace ata
