#include "model/checkpoint.h"

#include <unordered_set>

#include "base/error.h"
#include "base/text.h"
#include "model/containers/element_types.h"
#include "ops/cpu_device.h"

namespace ata {
namespace {

constexpr char kConfigKey[] = "config";

}  // namespace

Checkpoint::Checkpoint(const std::string& path) : file_(path) {
  const std::string origin = concat("'", path, "'");
  const std::string* json = file_.metadata(kConfigKey);
  if (json == nullptr) {
    fail(ATA_BAD_MODEL, origin,
         " has no model configuration (metadata 'config'); if it is a checkpoint of another "
         "project, "
         "convert it with: ata import ",
         path, " OUT.safetensors");
  }
  config_ = ModelConfig::from_json(*json, origin);
  const ParameterGroups needed = ParameterGroups::needed_by(config_.temporal);
  groups_.time = needed.time || file_.contains("time_embed");
  groups_.temporal = needed.temporal || file_.contains("blocks.0.temporal_attn.qkv.weight");
  groups_.norm_pre = file_.contains("norm_pre.weight");
  check_tensors();
}

void Checkpoint::check_tensors() const {
  std::unordered_set<std::string> known;
  for (const ParameterInfo& info : list_parameters(config_, groups_)) {
    known.insert(info.name);
    if (!file_.contains(info.name)) {
      fail(ATA_BAD_MODEL, "'", path(), "': tensor '", info.name,
           "' is missing, which the configuration (temporal '",
           temporal_mode_name(config_.temporal), "', depth ", config_.depth, ") calls for");
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
         "'; if it can do without, leave it out with: ata import ", path(),
         " OUT.safetensors --ignore '", shown(file_.name(i)), "'");
  }
}

Tensor Checkpoint::read(const std::string& name, const ModelConfig& target,
                        Resampling resampling) const {
  Tensor tensor = file_.get_f32(name);
  check_finite(tensor, name, concat("'", path(), "'"));
  const Context context = make_context(cpu_device());
  if (name == "pos_embed") {
    return resample_positions(context, Variable(tensor), config_.grid(), config_.grid(),
                              target.grid(), target.grid(), resampling)
        .value();
  }
  if (name == "time_embed") {
    return resample_times(context, Variable(tensor), target.frames).value();
  }
  return tensor;
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
