#ifndef ATA_TRAIN_PARAMETER_GROUPS_H_
#define ATA_TRAIN_PARAMETER_GROUPS_H_

#include <vector>

#include "model/parameters.h"
#include "train/options.h"

namespace ata {

/// How the optimizer treats one parameter.
struct ParameterGroup {
  bool is_new = false;
  bool frozen = false;
  /// Factor of the learning rate: layer_decay^(last layer - layer), times new_parameter_scale for
  /// new parameters (Bao et al., "BEiT", 2022; Clark et al., "ELECTRA", 2020).
  double rate_scale = 1.0;
  /// Weight decay: the option's for matrices, 0 for the others.
  double weight_decay = 0.0;
};

/// Assigns every parameter of a model to its group, by what its network declares it to be. Patterns
/// that match nothing, and options that freeze everything, are ATA_INVALID_ARGUMENT.
std::vector<ParameterGroup> group_parameters(const std::vector<ParameterInfo>& parameters,
                                             const TrainOptions& options);

}  // namespace ata

#endif  // ATA_TRAIN_PARAMETER_GROUPS_H_
