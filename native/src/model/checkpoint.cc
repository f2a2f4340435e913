#include "model/checkpoint.h"

#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "model/containers/element_types.h"
#include "model/network.h"

namespace ata {
namespace {

constexpr char kConfigKey[] = "config";

}  // namespace

Checkpoint::Checkpoint(const std::string& path)
    : Checkpoint(std::make_shared<const InputFile>(path)) {}

Checkpoint::Checkpoint(std::shared_ptr<const InputFile> file) : file_(std::move(file)) {
  const std::string origin = concat("'", path(), "'");
  const std::string* json = file_.metadata(kConfigKey);
  if (json == nullptr) {
    fail(ATA_BAD_MODEL, origin,
         " has no model configuration (metadata 'config'); if it is a checkpoint of another "
         "project, convert it with: ata import ",
         file_.argument(), " OUT.safetensors");
  }
  config_ = ModelConfig::from_json(*json, origin);
  check_tensors();
}

void Checkpoint::check_tensors() const {
  std::unordered_set<std::string> known;
  const auto stored = [this](const std::string& name) { return contains(name); };
  for (const ParameterInfo& info : list_parameters(config_, stored)) {
    known.insert(info.name);
    if (!file_.contains(info.name)) {
      fail(ATA_BAD_MODEL, "'", path(), "': tensor '", info.name,
           "' is missing, which the configuration (temporal '",
           temporal_mode_name(config_.temporal), "', depth ", config_.depth(), ") calls for");
    }
    const std::vector<int64_t>& dims = file_.dims(info.name);
    const auto expected = info.shape.dims();
    if (!std::equal(dims.begin(), dims.end(), expected.begin(), expected.end())) {
      fail(ATA_BAD_MODEL, "'", path(), "': tensor '", info.name, "' has shape ",
           dims_to_string(dims), ", but the configuration calls for ", info.shape.to_string());
    }
  }
  // What the model would compute without such a tensor is not what whoever wrote it meant.
  for (size_t i = 0; i < file_.count(); ++i) {
    if (known.count(file_.name(i)) != 0) continue;
    fail(ATA_BAD_MODEL, "'", path(), "': the model has no tensor '", shown(file_.name(i)),
         "'; if it can do without, leave it out with: ata import ", file_.argument(),
         " OUT.safetensors --ignore '", shown(file_.name(i)), "'");
  }
}

Tensor Checkpoint::read(const std::string& name, const ModelConfig& target,
                        Resampling resampling) const {
  Tensor tensor = file_.get_f32(name);
  check_finite(tensor, name, concat("'", path(), "'"));
  return target.backbone->resample(name, tensor, config_, target, resampling);
}

void save_checkpoint(const std::string& path, const ModelConfig& config,
                     const ParameterSet& parameters) {
  TensorFile file;
  file.set_metadata(kConfigKey, config.to_json());
  for (size_t i = 0; i < parameters.count(); ++i) {
    file.set(parameters.name(i), parameters.tensor(i));
  }
  file.save(path);
}

}  // namespace ata
