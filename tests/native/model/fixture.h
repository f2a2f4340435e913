#ifndef ATA_TESTS_NATIVE_MODEL_FIXTURE_H_
#define ATA_TESTS_NATIVE_MODEL_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "support/devices.h"

namespace ata {

/// A small model with inputs and results from an independent implementation (tests/data).
struct Fixture {
  explicit Fixture(const std::string& name)
      : file(std::string(ATA_TEST_DATA) + "/" + name + ".safetensors"),
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
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(info->test_suite_name()) + "_" + info->name();
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = std::filesystem::path(testing::TempDir()) / name;
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name = "model.safetensors") const {
    return (directory_ / name).string();
  }
  /// The fixture as a checkpoint file.
  std::string checkpoint(const Fixture& fixture) const {
    save_checkpoint(path(), fixture.config, fixture.parameters);
    return path();
  }

 private:
  std::filesystem::path directory_;
};

/// Models on the device that tests run on.
inline std::shared_ptr<Model> load_model(const std::string& path, ModelOptions options = {}) {
  options.device = &test_device();
  return Model::load(path, options);
}
inline std::shared_ptr<Model> create_model(const ModelConfig& config, uint64_t seed) {
  return Model::create(config, seed, test_device());
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

/// |a - b| / |b|, in Euclidean norms.
inline double relative_error(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    const double x = a.data<float>()[i], y = b.data<float>()[i];
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return std::sqrt(difference / norm);
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double largest = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a.data<float>()[i]) -
                                         static_cast<double>(b.data<float>()[i])));
  }
  return largest;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// The message of the Error that `action` throws, after checking its status.
template <typename Action>
std::string error_of(ata_status status, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

#define EXPECT_MENTIONS(message, part) \
  EXPECT_NE((message).find(part), std::string::npos) << "message: " << (message)

}  // namespace ata

#endif  // ATA_TESTS_NATIVE_MODEL_FIXTURE_H_
