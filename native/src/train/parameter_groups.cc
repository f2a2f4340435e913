#include "train/parameter_groups.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/name_patterns.h"

namespace ata {

std::vector<ParameterGroup> group_parameters(const std::vector<ParameterInfo>& parameters,
                                             const TrainOptions& options) {
  std::vector<std::string> names;
  int last_layer = 0;
  for (const ParameterInfo& parameter : parameters) {
    names.push_back(parameter.name);
    last_layer = std::max(last_layer, parameter.layer);
  }
  const NamePatterns frozen(options.frozen, "frozen");
  frozen.require_matches(names);
  const NamePatterns new_parameters(
      options.new_parameters.value_or(TrainOptions::kDefaultNewParameters), "new_parameters");
  if (options.new_parameters) new_parameters.require_matches(names);

  std::vector<ParameterGroup> groups;
  for (const ParameterInfo& parameter : parameters) {
    ParameterGroup group;
    group.is_new = new_parameters.matches(parameter.name);
    group.frozen = frozen.matches(parameter.name);
    group.rate_scale =
        std::pow(static_cast<double>(options.layer_decay), last_layer - parameter.layer);
    if (group.is_new) group.rate_scale *= options.new_parameter_scale;
    if (parameter.kind == ParameterKind::kMatrix) group.weight_decay = options.weight_decay;
    groups.push_back(group);
  }
  require(!std::all_of(groups.begin(), groups.end(), [](const auto& g) { return g.frozen; }),
          "frozen \"", options.frozen, "\" matches every parameter; nothing is left to train");
  return groups;
}

}  // namespace ata
