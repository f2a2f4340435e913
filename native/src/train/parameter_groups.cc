#include "train/parameter_groups.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "train/name_patterns.h"

namespace ata {
namespace {

[[noreturn]] void fail_unknown(const std::string& name) {
  fail(ATA_INTERNAL, "parameter \"", name, "\" belongs to no parameter group");
}

bool is_embedding(std::string_view name) {
  return name == "cls_token" || name == "pos_embed" || name == "time_embed";
}

// The last component names the role ("weight"), the one before it the layer ("qkv", "norm1").
ParameterKind kind_of(const std::string& name) {
  if (is_embedding(name)) return ParameterKind::kEmbedding;
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) fail_unknown(name);
  const std::string_view role = std::string_view(name).substr(dot + 1);
  const std::string_view owner = std::string_view(name).substr(0, dot);
  const std::string_view layer = owner.substr(owner.rfind('.') + 1);
  if (role != "weight" && role != "bias") fail_unknown(name);
  constexpr std::string_view kNorms[] = {"norm_pre", "norm", "norm1", "norm2", "temporal_norm1"};
  constexpr std::string_view kLinearLayers[] = {"proj", "qkv", "temporal_fc", "fc1", "fc2", "head"};
  const auto is_one_of = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), layer) != std::end(names);
  };
  if (is_one_of(kNorms)) return ParameterKind::kNorm;
  if (!is_one_of(kLinearLayers)) fail_unknown(name);
  return role == "weight" ? ParameterKind::kMatrix : ParameterKind::kBias;
}

int layer_of(const std::string& name, int depth) {
  if (is_embedding(name) || name.starts_with("patch_embed.") || name.starts_with("norm_pre.")) {
    return 0;
  }
  if (name.starts_with("norm.") || name.starts_with("head.")) return depth + 1;
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) fail_unknown(name);
  int block = -1;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kBlocks.size(), end, block);
  if (error != std::errc() || rest == end || *rest != '.' || block < 0 || block >= depth) {
    fail_unknown(name);
  }
  return block + 1;
}

}  // namespace

std::vector<ParameterGroup> group_parameters(const std::vector<std::string>& names, int depth,
                                             const TrainOptions& options) {
  const NamePatterns frozen(options.frozen, "frozen");
  frozen.require_matches(names);
  const NamePatterns new_parameters(
      options.new_parameters.value_or(TrainOptions::kDefaultNewParameters), "new_parameters");
  if (options.new_parameters) new_parameters.require_matches(names);

  std::vector<ParameterGroup> groups;
  for (const std::string& name : names) {
    ParameterGroup group;
    group.kind = kind_of(name);
    group.layer = layer_of(name, depth);
    group.is_new = new_parameters.matches(name);
    group.frozen = frozen.matches(name);
    group.rate_scale = std::pow(static_cast<double>(options.layer_decay), depth + 1 - group.layer);
    if (group.is_new) group.rate_scale *= options.new_parameter_scale;
    if (group.kind == ParameterKind::kMatrix) group.weight_decay = options.weight_decay;
    groups.push_back(group);
  }
  require(!std::all_of(groups.begin(), groups.end(), [](const auto& g) { return g.frozen; }),
          "frozen \"", options.frozen, "\" matches every parameter; nothing is left to train");
  return groups;
}

}  // namespace ata
