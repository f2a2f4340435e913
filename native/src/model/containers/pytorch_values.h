#ifndef ATA_MODEL_CONTAINERS_PYTORCH_VALUES_H_
#define ATA_MODEL_CONTAINERS_PYTORCH_VALUES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/containers/pickle.h"

namespace ata {

/// A call that PyTorch would make to rebuild a dense tensor, without the wrappers that make it a
/// parameter: torch._utils._rebuild_tensor, _rebuild_tensor_v2 or _rebuild_tensor_v3.
struct TensorCall {
  std::string function;
  std::span<const Pickle::Id> arguments;
};

/// Nothing if the value is no such call.
std::optional<TensorCall> tensor_call(const Pickle& pickle, Pickle::Id value);

/// Tensors may be wrapped so often, as parameters and with attributes.
inline constexpr int kMaxWrappers = 8;

/// The class of an object, or the function that a call calls.
std::string type_name(const Pickle& pickle, Pickle::Id value);

/// What a value is, in words: "5", "a dictionary of 3", "an object of class argparse.Namespace".
std::string describe(const Pickle& pickle, Pickle::Id value);

/// Where the weights are in what a file holds.
struct WeightsChoice {
  /// A dictionary.
  Pickle::Id weights;
  /// One line for each value beside the way there, and for those among the weights that are no
  /// tensors.
  std::vector<std::string> ignored;
};

/// Follows `key`, or with "" the usual keys. Throws as open_tensor_source(), naming `path`.
WeightsChoice choose_weights(const Pickle& pickle, Pickle::Id root, const std::string& key,
                             const std::string& path);

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_PYTORCH_VALUES_H_
