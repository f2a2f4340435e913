#ifndef ATA_TESTS_NATIVE_TRAIN_TRAINING_H_
#define ATA_TESTS_NATIVE_TRAIN_TRAINING_H_

#include <memory>
#include <string>

#include "../model/fixture.h"
#include "base/threads.h"
#include "train/trainer.h"

// What the tests of training share: small models from tests/data and options.
namespace ata {

constexpr const char* kFixtures[] = {"tiny-ata", "tiny-divided", "tiny-joint", "tiny-space_only",
                                     "small-ata"};

inline ParameterSet copy(const ParameterSet& parameters) {
  ParameterSet result;
  for (size_t i = 0; i < parameters.count(); ++i) {
    result.add(parameters.name(i), parameters.tensor(i).clone());
  }
  return result;
}

inline std::shared_ptr<Model> model_of(const Fixture& fixture) {
  return std::make_shared<Model>(fixture.config, copy(fixture.parameters), test_device());
}

// Everything at once that draws, averages or clips.
inline TrainOptions rich_options() {
  TrainOptions options;
  options.clip_norm = 0.5f;
  options.label_smoothing = 0.1f;
  options.stochastic_depth = 0.4f;
  options.dropout = 0.2f;
  options.ema_decay = 0.9f;
  options.layer_decay = 0.8f;
  options.new_parameter_scale = 2.0f;
  options.seed = 77;
  return options;
}

inline Tensor labels_of(std::vector<int64_t> values) {
  Tensor labels({static_cast<int64_t>(values.size())}, DType::kI64);
  std::copy(values.begin(), values.end(), labels.data<int64_t>());
  return labels;
}

inline bool same_weights(const Model& a, const Model& b) {
  for (size_t i = 0; i < a.parameters().count(); ++i) {
    if (!same_bits(a.parameters().tensor(i), b.parameters().tensor(i))) return false;
  }
  return a.parameters().count() == b.parameters().count();
}

inline std::string name_of(const testing::TestParamInfo<const char*>& fixture) {
  std::string name = fixture.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// One thread does: models this small gain nothing from a second, which a busy machine may delay.
class OneThread {
 protected:
  OneThread() { set_thread_count(1); }
  ~OneThread() { set_thread_count(0); }
};

}  // namespace ata

#endif  // ATA_TESTS_NATIVE_TRAIN_TRAINING_H_
