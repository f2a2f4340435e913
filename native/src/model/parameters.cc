#include "model/parameters.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"

namespace ata {
namespace {

// The deviation that vision transformers of width 768 start from. What a matrix product of another
// width adds up to should not be smaller or larger: narrow models would hardly learn at first.
constexpr float kInitialDeviation = 0.02f;
constexpr float kWidthOfThatDeviation = 768;
// About as large as tokens are: with next to no time embedding, attention over time cannot tell
// before from after, and training does not get off the ground.
constexpr float kTimeDeviation = 0.5f;

std::string block_name(int64_t index, const char* part) {
  return concat("blocks.", index, ".", part);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// FNV-1a, to give every parameter a random stream of its own.
uint64_t hash(const std::string& text) {
  uint64_t value = 0xcbf29ce484222325u;
  for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return value;
}

float initial_deviation(const std::string& name, int64_t width) {
  if (name == "time_embed") return kTimeDeviation;
  const bool inner_matrix = ends_with(name, ".weight") && name != "head.weight";
  if (!inner_matrix) return kInitialDeviation;
  return kInitialDeviation * std::sqrt(kWidthOfThatDeviation / static_cast<float>(width));
}

void add_norm(std::vector<ParameterInfo>& list, const std::string& name, int64_t dim) {
  list.push_back({name + ".weight", {dim}});
  list.push_back({name + ".bias", {dim}});
}

void add_linear(std::vector<ParameterInfo>& list, const std::string& name, int64_t out,
                int64_t in) {
  list.push_back({name + ".weight", {out, in}});
  list.push_back({name + ".bias", {out}});
}

NormWeights norm(ParameterSource& source, const std::string& name) {
  return {source.tensor(name + ".weight"), source.tensor(name + ".bias")};
}

}  // namespace

ParameterGroups ParameterGroups::needed_by(ata_temporal_mode mode) {
  return {.time = mode != ATA_TEMPORAL_SPACE_ONLY,
          .temporal = has_temporal_step(mode),
          .norm_pre = false};
}

std::vector<ParameterInfo> list_parameters(const ModelConfig& config,
                                           const ParameterGroups& groups) {
  const int64_t dim = config.dim;
  std::vector<ParameterInfo> list;
  list.push_back({"cls_token", {1, 1, dim}});
  list.push_back({"pos_embed", {1, config.patches() + 1, dim}});
  if (groups.time) list.push_back({"time_embed", {1, config.frames, dim}});
  list.push_back({"patch_embed.proj.weight", {dim, 3, config.patch_size, config.patch_size}});
  list.push_back({"patch_embed.proj.bias", {dim}});
  if (groups.norm_pre) add_norm(list, "norm_pre", dim);
  for (int64_t i = 0; i < config.depth; ++i) {
    if (groups.temporal) {
      const auto temporal = list_temporal_parameters(block_name(i, ""), dim);
      list.insert(list.end(), temporal.begin(), temporal.end());
    }
    add_norm(list, block_name(i, "norm1"), dim);
    add_linear(list, block_name(i, "attn.qkv"), 3 * dim, dim);
    add_linear(list, block_name(i, "attn.proj"), dim, dim);
    add_norm(list, block_name(i, "norm2"), dim);
    add_linear(list, block_name(i, "mlp.fc1"), config.hidden_dim(), dim);
    add_linear(list, block_name(i, "mlp.fc2"), dim, config.hidden_dim());
  }
  add_norm(list, "norm", dim);
  add_linear(list, "head", config.classes, dim);
  return list;
}

std::vector<ParameterInfo> list_temporal_parameters(const std::string& prefix, int64_t dim) {
  std::vector<ParameterInfo> list;
  add_norm(list, prefix + "temporal_norm1", dim);
  add_linear(list, prefix + "temporal_attn.qkv", 3 * dim, dim);
  add_linear(list, prefix + "temporal_attn.proj", dim, dim);
  add_linear(list, prefix + "temporal_fc", dim, dim);
  return list;
}

TemporalWeights bind_temporal_weights(const std::string& prefix, ParameterSource& source) {
  TemporalWeights weights;
  weights.norm1 = norm(source, prefix + "temporal_norm1");
  weights.qkv = source.linear(prefix + "temporal_attn.qkv");
  source.chain(prefix + "temporal_attn.proj", prefix + "temporal_fc", &weights.proj, &weights.fc);
  return weights;
}

VitWeights bind_weights(const ModelConfig& config, bool norm_pre, ParameterSource& source) {
  const ParameterGroups groups = ParameterGroups::needed_by(config.temporal);
  VitWeights weights;
  weights.cls_token = source.tensor("cls_token");
  weights.pos_embed = source.tensor("pos_embed");
  if (groups.time) weights.time_embed = source.tensor("time_embed");
  weights.patch_embed = source.linear("patch_embed.proj");
  if (norm_pre) weights.norm_pre = norm(source, "norm_pre");
  for (int64_t i = 0; i < config.depth; ++i) {
    BlockWeights block;
    if (groups.temporal) {
      block.temporal = bind_temporal_weights(block_name(i, ""), source);
    }
    block.norm1 = norm(source, block_name(i, "norm1"));
    block.qkv = source.linear(block_name(i, "attn.qkv"));
    block.proj = source.linear(block_name(i, "attn.proj"));
    block.norm2 = norm(source, block_name(i, "norm2"));
    block.fc1 = source.linear(block_name(i, "mlp.fc1"));
    block.fc2 = source.linear(block_name(i, "mlp.fc2"));
    weights.blocks.push_back(std::move(block));
  }
  weights.norm = norm(source, "norm");
  weights.head = source.head("head");
  return weights;
}

void ParameterSet::add(const std::string& name, Tensor tensor) {
  if (!index_.emplace(name, names_.size()).second) {
    fail(ATA_INTERNAL, "parameter '", name, "' added twice");
  }
  names_.push_back(name);
  tensors_.push_back(std::move(tensor));
}

const Tensor& ParameterSet::tensor(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) fail(ATA_UNKNOWN_NAME, "there is no parameter '", shown(name), "'");
  return tensors_[found->second];
}

Variable VariableSource::tensor(const std::string& name) {
  Variable& variable = variables_[name];
  if (!variable.defined()) variable = Variable(parameters_.tensor(name), requires_gradient_(name));
  return variable;
}

LinearWeights VariableSource::linear(const std::string& name) {
  const Tensor& weight = parameters_.tensor(name + ".weight");
  LinearWeights weights;
  weights.out_features = weight.dim(0);
  weights.in_features = weight.count() / weights.out_features;
  weights.weight = Variable(weight.reshape({weights.out_features, weights.in_features}),
                            requires_gradient_(name + ".weight"));
  variables_[name + ".weight"] = weights.weight;
  weights.bias = tensor(name + ".bias");
  return weights;
}

Tensor initial_parameter(const ParameterInfo& info, int64_t width, uint64_t seed) {
  Tensor tensor = Tensor::zeros(info.shape, DType::kF32);
  float* values = tensor.data<float>();
  if (ends_with(info.name, ".bias") || ends_with(info.name, "temporal_fc.weight")) {
    return tensor;
  }
  // Norms have the only one-dimensional weights.
  if (info.shape.rank() == 1) {
    std::fill(values, values + tensor.count(), 1.0f);
    return tensor;
  }
  const float deviation = initial_deviation(info.name, width);
  Random random(seed, hash(info.name));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    float value;
    do {
      value = random.normal();
    } while (std::abs(value) > 2.0f);
    values[i] = deviation * value;
  }
  return tensor;
}

void check_finite(const Tensor& tensor, const std::string& name, const std::string& origin) {
  if (all_finite(tensor)) return;
  const float* values = tensor.data<float>();
  int64_t at = 0;
  while (std::isfinite(values[at])) ++at;
  fail(ATA_BAD_MODEL, origin, ": tensor '", shown(name), "' holds ", values[at], " at position ",
       at, "; weights must be finite");
}

}  // namespace ata
