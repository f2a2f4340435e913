#ifndef ATA_MODEL_MODEL_H_
#define ATA_MODEL_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/network.h"
#include "model/parameters.h"
#include "ops/cpu_device.h"

namespace ata {

class Checkpoint;

/// How to load a model.
struct ModelOptions {
  Device* device = &cpu_device();
  ata_precision precision = ATA_PRECISION_F32;
  /// Overrides of the checkpoint's configuration; embeddings are resampled to fit.
  std::optional<ata_temporal_mode> temporal;
  std::optional<ata_alignment> alignment;
  std::optional<int32_t> align_every;
  std::optional<int32_t> window_radius;
  std::optional<float> temperature;
  std::optional<int32_t> iterations;
  std::optional<int32_t> frames;
  std::optional<int32_t> image_size;
  /// Resample the spatial embedding bicubically instead of by nearest neighbour.
  bool bicubic_positions = false;
  /// Keep plain f32 weights, for gradients and saving, instead of packed ones.
  bool trainable = false;

  /// Checks and converts the C API's struct.
  static ModelOptions from_c(const ata_model_options& options);
};

/// Weights and configuration of one model. Read-only once sessions use it, so that any number of
/// sessions and threads may share it.
class Model {
 public:
  /// Loads a checkpoint. For inference each tensor is read, packed and dropped before the next, so
  /// that memory peaks at the packed weights plus one tensor. Throws ATA_BAD_MODEL when the file
  /// contradicts itself, ATA_UNSUPPORTED when its tensors do not suffice for the mode asked for.
  static std::shared_ptr<Model> load(const std::string& path, const ModelOptions& options = {});
  static std::shared_ptr<Model> load(const Checkpoint& checkpoint, const ModelOptions& options);

  /// A trainable model with random weights (initial_parameter).
  static std::shared_ptr<Model> create(const ModelConfig& config, uint64_t seed,
                                       Device& device = cpu_device());

  /// A trainable model of these weights, which must be those of the configuration; in the host's
  /// memory, or the device's.
  Model(ModelConfig config, const ParameterSet& parameters, Device& device = cpu_device());

  const ModelConfig& config() const { return config_; }
  ata_precision precision() const { return precision_; }
  Device& device() const { return *device_; }
  bool trainable() const { return trainable_; }

  /// The parameters that are in memory, in the order of the forward pass.
  const std::vector<ParameterInfo>& parameter_list() const { return list_; }
  /// The weights of a trainable model, in the device's memory; ATA_UNSUPPORTED for another.
  const ParameterSet& parameters() const;
  /// The layers, with the weights as inference reads them.
  const Network& network() const { return *network_; }

  /// A copy of a trainable model with a new head, as of a new model; it has no labels.
  std::shared_ptr<Model> with_new_head(int32_t classes, uint64_t seed) const;

  /// As many as there are classes; none removes them. Not while sessions use the model.
  void set_labels(std::vector<std::string> labels);

  /// Writes a trainable model's checkpoint atomically.
  void save(const std::string& path) const;

 private:
  Model() = default;

  ModelConfig config_;
  ata_precision precision_ = ATA_PRECISION_F32;
  Device* device_ = nullptr;
  bool trainable_ = false;
  std::vector<ParameterInfo> list_;
  ParameterSet parameters_;
  std::unique_ptr<const Network> network_;
};

}  // namespace ata

#endif  // ATA_MODEL_MODEL_H_
