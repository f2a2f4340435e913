#ifndef ATA_MODEL_BACKBONE_CONFIG_H_
#define ATA_MODEL_BACKBONE_CONFIG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ops/embedding.h"

namespace ata {

class Backbone;
class ConfigCheck;
class ConfigFields;
class ParameterWalk;
struct ModelConfig;

/// An architecture and its own part of a model's configuration: what a model's frame (ModelConfig,
/// Network, Forward) has to know of a backbone, and how to make one. Immutable and shared once a
/// ModelConfig holds it.
class BackboneConfig {
 public:
  virtual ~BackboneConfig() = default;

  /// The name that checkpoints give it, "vit".
  virtual const char* architecture() const = 0;
  /// D: width of a patch token, and of what the head reads.
  virtual int32_t dim() const = 0;
  /// Number of blocks, at least 1.
  virtual int32_t depth() const = 0;
  /// Patches along one side of a frame of that many pixels.
  virtual int32_t grid(int32_t image_size) const = 0;

  /// The architecture's own fields of a checkpoint's configuration.
  virtual void read(ConfigFields& fields) = 0;
  virtual void write(nlohmann::ordered_json& json) const = 0;
  /// Checks them, for a model of that configuration otherwise.
  virtual void check(const ConfigCheck& check, const ModelConfig& config) const = 0;

  /// The network, with the weights that `walk` has for the parameters it declares.
  virtual std::unique_ptr<const Backbone> build(const ModelConfig& config,
                                                ParameterWalk& walk) const = 0;
  /// A parameter of a checkpoint of configuration `stored`, in the host's memory, as a model of
  /// `target` needs it, which differs in frames and image_size alone. Unless overridden, as it is.
  virtual Tensor resample(const std::string& name, const Tensor& parameter,
                          const ModelConfig& stored, const ModelConfig& target,
                          Resampling resampling) const;
};

/// A kind of backbone, by which configurations name it.
struct Architecture {
  const char* name;
  std::function<std::shared_ptr<BackboneConfig>()> make;
  /// Usual sizes of it by name, "vit-base".
  std::vector<std::pair<const char*, std::function<std::shared_ptr<BackboneConfig>()>>> sizes = {};
};

/// Makes an architecture known, beside those of the library. Once for each name, before models of
/// it are made; not while other threads make or load models.
void register_architecture(Architecture architecture);

/// One with its own defaults. Throws ATA_INVALID_ARGUMENT listing the known names.
std::shared_ptr<BackboneConfig> new_backbone_config(const std::string& architecture);
/// One of the usual sizes. Throws ATA_INVALID_ARGUMENT listing them.
std::shared_ptr<BackboneConfig> named_backbone_config(const std::string& size);
std::vector<const char*> architecture_names();

}  // namespace ata

#endif  // ATA_MODEL_BACKBONE_CONFIG_H_
