#include "model/parameters.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"

namespace ata {
namespace {

// FNV-1a, to give every parameter a random stream of its own.
uint64_t hash(const std::string& text) {
  uint64_t value = 0xcbf29ce484222325u;
  for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return value;
}

}  // namespace

int64_t count_values(const std::vector<ParameterInfo>& parameters) {
  int64_t count = 0;
  for (const ParameterInfo& info : parameters) count += info.shape.count();
  return count;
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

Tensor initial_parameter(const ParameterInfo& info, uint64_t seed) {
  Tensor tensor(info.shape, DType::kF32);
  float* values = tensor.data<float>();
  if (info.deviation == 0.0f) {
    std::fill_n(values, tensor.count(), info.mean);
    return tensor;
  }
  Random random(seed, hash(info.name));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    float value;
    do {
      value = random.normal();
    } while (std::abs(value) > 2.0f);
    values[i] = info.deviation * value;
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
