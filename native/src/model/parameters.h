#ifndef ATA_MODEL_PARAMETERS_H_
#define ATA_MODEL_PARAMETERS_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.h"

namespace ata {

/// What a parameter is, which decides whether weight decay applies to it.
enum class ParameterKind {
  /// Weights of linear layers and of the patch convolution: decayed.
  kMatrix,
  kBias,
  /// Scales and shifts of LayerNorm.
  kNorm,
  /// `cls_token`, `pos_embed`, `time_embed`.
  kEmbedding,
};

/// A parameter tensor of a model, as its network declares it (ParameterWalk).
struct ParameterInfo {
  /// Its name in checkpoints.
  std::string name;
  Shape shape;
  ParameterKind kind = ParameterKind::kMatrix;
  /// 0 for the embeddings and what comes before the blocks, 1 + i for block i, one more for the
  /// final norm and the head.
  int layer = 0;
  /// Initial values: `mean`, or, when `deviation` is not 0, random around zero.
  float mean = 0.0f;
  float deviation = 0.0f;
};

/// How many values they hold together.
int64_t count_values(const std::vector<ParameterInfo>& parameters);

/// Named f32 tensors, in the order of the walk over the model's parameters.
class ParameterSet {
 public:
  void add(const std::string& name, Tensor tensor);
  size_t count() const { return tensors_.size(); }
  bool contains(const std::string& name) const { return index_.count(name) != 0; }
  const std::string& name(size_t index) const { return names_[index]; }
  Tensor& tensor(size_t index) { return tensors_[index]; }
  const Tensor& tensor(size_t index) const { return tensors_[index]; }
  /// Throws ATA_UNKNOWN_NAME naming an unknown parameter.
  const Tensor& tensor(const std::string& name) const;

 private:
  std::vector<std::string> names_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
};

/// Initial values as `info` says, in the host's memory: its mean, or a normal distribution of its
/// deviation cut at two deviations. Random values depend on the seed, the parameter's name, shape
/// and deviation alone.
Tensor initial_parameter(const ParameterInfo& info, uint64_t seed);

/// Throws ATA_BAD_MODEL naming the tensor and the position of the first NaN or infinity.
void check_finite(const Tensor& tensor, const std::string& name, const std::string& origin);

}  // namespace ata

#endif  // ATA_MODEL_PARAMETERS_H_
