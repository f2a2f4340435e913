#ifndef ATA_TESTS_NATIVE_MODEL_FIXTURE_H_
#define ATA_TESTS_NATIVE_MODEL_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "model/backbones/vit_config.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "support/compare.h"
#include "support/devices.h"
#include "support/errors.h"
#include "support/scratch.h"
#include "support/test_data.h"

namespace ata {

/// A small model with inputs and results from an independent implementation (tests/data).
struct Fixture {
  explicit Fixture(const std::string& name)
      : file(test_data(name + ".safetensors")),
        config(ModelConfig::from_json(*file.metadata("config"), name)) {
    const std::string prefix = "param/";
    for (size_t i = 0; i < file.count(); ++i) {
      if (file.name(i).rfind(prefix, 0) == 0) {
        parameters.add(file.name(i).substr(prefix.size()), file.get(file.name(i)));
      }
    }
  }

  Tensor get(const std::string& name) const { return file.get(name); }

  TensorFile file;
  ModelConfig config;
  ParameterSet parameters;
};

/// A test with an empty folder of its own.
class ModelFileTest : public testing::Test {
 protected:
  std::string path(const std::string& name = "model.safetensors") const {
    return scratch_.path(name);
  }
  /// The fixture as a checkpoint file.
  std::string checkpoint(const Fixture& fixture) const {
    save_checkpoint(path(), fixture.config, fixture.parameters);
    return path();
  }

 private:
  Scratch scratch_;
};

/// Models on the device that tests run on.
inline std::shared_ptr<Model> load_model(const std::string& path, ModelOptions options = {}) {
  options.device = &test_device();
  return Model::load(path, options);
}
inline std::shared_ptr<Model> create_model(const ModelConfig& config, uint64_t seed) {
  return Model::create(config, seed, test_device());
}
/// Changes the vision transformer of a configuration.
template <typename Change>
void change_vit(ModelConfig& config, const Change& change) {
  VitConfig vit = vit_config(config);
  change(vit);
  set_backbone(config, vit);
}
inline std::vector<std::string> parameter_names(const Model& model) {
  std::vector<std::string> names;
  for (const ParameterInfo& info : model.parameter_list()) names.push_back(info.name);
  return names;
}
/// A parameter's values, in the host's memory.
inline Tensor weight_of(const Model& model, const std::string& name) {
  return on_host(model.parameters().tensor(name));
}

inline Tensor random_tensor(Shape shape, uint64_t seed, float deviation = 1.0f) {
  Tensor tensor(shape, DType::kF32);
  Random random(seed);
  for (int64_t i = 0; i < tensor.count(); ++i)
    tensor.data<float>()[i] = deviation * random.normal();
  return tensor;
}

inline Tensor random_clip(const ModelConfig& config, int64_t batch, uint64_t seed) {
  return random_tensor({batch, 3, config.frames, config.image_size, config.image_size}, seed);
}

}  // namespace ata

#endif  // ATA_TESTS_NATIVE_MODEL_FIXTURE_H_
