// What a trainer keeps in a file: Trainer::save() and Trainer::load().
//
// A safetensors file. Tensors, all f32 of their parameter's shape: `param/NAME` for every parameter
// of the model; for the trained ones, as far as the options call for them, `moment1/NAME`,
// `moment2/NAME` and `average/NAME`; `gradient/NAME` where a gradient had been accumulated.
// Metadata: `format`, `config` and `options` as JSON, `updates` and `batches` as decimal counts,
// and the caller's `state`.

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/safetensors.h"
#include "train/trainer.h"

namespace ata {
namespace {

constexpr const char* kFormat = "ata-trainer-1";

// Labels name classes; they do not take part in training.
std::string config_text(ModelConfig config) {
  config.labels.clear();
  return config.to_json();
}

const std::string& metadata(const TensorFile& file, const char* key) {
  const std::string* value = file.metadata(key);
  if (value == nullptr) {
    fail(ATA_BAD_MODEL, "'", file.path(), "' is not a training checkpoint: it has no metadata '",
         key, "'");
  }
  return *value;
}

template <typename Integer>
Integer count_of(const TensorFile& file, const char* key) {
  const std::string& text = metadata(file, key);
  Integer value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value < Integer{0}) {
    fail(ATA_BAD_MODEL, "'", file.path(), "': metadata '", key, "' is \"", text, "\", not a count");
  }
  return value;
}

// Throws naming the first field in which the JSON objects `saved` and `current` differ.
void require_equal(const TensorFile& file, const char* key, const std::string& current) {
  const std::string& saved = metadata(file, key);
  const auto before = nlohmann::json::parse(saved, nullptr, /*allow_exceptions=*/false);
  if (!before.is_object()) {
    fail(ATA_BAD_MODEL, "'", file.path(), "': metadata '", key, "' is not a JSON object");
  }
  const auto now = nlohmann::json::parse(current);
  if (before == now) return;
  for (const auto& [field, value] : now.items()) {
    const auto found = before.find(field);
    const std::string old = found == before.end() ? "absent" : found->dump();
    require(old == value.dump(), "'", file.path(), "' was saved with ", key, " '", field, "' ", old,
            ", this trainer has ", value.dump(), "; create the trainer as it was when saved");
  }
  fail(ATA_INVALID_ARGUMENT, "'", file.path(), "' was saved with other ", key, ": ", saved,
       "; this trainer has ", current);
}

// Reads the tensors of a file, which must be exactly those that are asked for.
class StateReader {
 public:
  explicit StateReader(const TensorFile& file) : file_(file) {}

  bool contains(const std::string& name) const { return file_.contains(name); }

  Tensor read(const std::string& name, const Shape& shape) {
    if (!file_.contains(name)) {
      fail(ATA_BAD_MODEL, "'", file_.path(), "' lacks the tensor '", name, "'");
    }
    const Tensor tensor = file_.get(name);
    if (tensor.dtype() != DType::kF32 || !(tensor.shape() == shape)) {
      fail(ATA_BAD_MODEL, "'", file_.path(), "': '", name, "' is ", dtype_name(tensor.dtype()), " ",
           tensor.shape().to_string(), ", not f32 ", shape.to_string());
    }
    ++count_;
    return tensor;
  }

  // For what would go straight into the weights.
  Tensor read_finite(const std::string& name, const Shape& shape) {
    const Tensor tensor = read(name, shape);
    check_finite(tensor, name, file_.path());
    return tensor;
  }

  void finish() const {
    if (count_ != file_.count()) {
      fail(ATA_BAD_MODEL, "'", file_.path(), "' holds ", file_.count(),
           " tensors; a checkpoint of ", "this trainer holds ", count_);
    }
  }

 private:
  const TensorFile& file_;
  size_t count_ = 0;
};

}  // namespace

void Trainer::save(const std::string& path, const char* state) const {
  optimizer_.require_valid();
  TensorFile file;
  const ParameterSet& parameters = model_->parameters();
  for (size_t i = 0; i < parameters.count(); ++i) {
    file.set("param/" + parameters.name(i),
             memory_.download(parameters.tensor(i), /*may_share=*/true));
  }
  const std::vector<Tensor> gradients = accumulated_gradients();
  for (size_t i = 0; i < variables_.size(); ++i) {
    const TrainedParameter& parameter = optimizer_.parameters()[i];
    const auto set = [&](const char* prefix, const Tensor& tensor) {
      if (!tensor) return;
      file.set(prefix + parameter.name, memory_.download(tensor.reshape(parameter.weights.shape()),
                                                         /*may_share=*/true));
    };
    set("moment1/", parameter.first_moment);
    set("moment2/", parameter.second_moment);
    set("average/", parameter.average);
    set("gradient/", gradients[i]);
  }
  file.set_metadata("format", kFormat);
  file.set_metadata("config", config_text(model_->config()));
  file.set_metadata("options", options_.to_json());
  file.set_metadata("updates", std::to_string(optimizer_.update_count()));
  file.set_metadata("batches", std::to_string(batch_count_));
  if (state != nullptr) file.set_metadata("state", state);
  file.save(path);
}

void Trainer::load(const std::string& path) {
  const TensorFile file(path);
  if (metadata(file, "format") != kFormat) {
    fail(ATA_BAD_MODEL, "'", path, "' has the format \"", metadata(file, "format"),
         "\"; this version reads \"", kFormat, "\"");
  }
  require_equal(file, "config", config_text(model_->config()));
  require_equal(file, "options", options_.to_json());
  const auto update_count = count_of<int64_t>(file, "updates");
  const auto batch_count = count_of<uint64_t>(file, "batches");

  // Everything is read before anything changes.
  StateReader reader(file);
  std::vector<TrainedParameter> state = optimizer_.parameters();
  std::vector<Tensor> gradients;
  for (size_t i = 0; i < state.size(); ++i) {
    TrainedParameter& parameter = state[i];
    const Shape shape = parameter.weights.shape();
    parameter.weights = reader.read_finite("param/" + parameter.name, shape);
    const auto restore = [&](const char* prefix, Tensor& tensor) {
      if (tensor) tensor = reader.read(prefix + parameter.name, shape);
    };
    restore("moment1/", parameter.first_moment);
    restore("moment2/", parameter.second_moment);
    if (parameter.average) {
      parameter.average = reader.read_finite("average/" + parameter.name, shape);
    }
    Tensor gradient;
    const std::string gradient_name = "gradient/" + parameter.name;
    if (variables_[i].defined() && reader.contains(gradient_name)) {
      gradient = reader.read(gradient_name, shape).reshape(variables_[i].value().shape());
    }
    gradients.push_back(std::move(gradient));
  }
  const ParameterSet& parameters = model_->parameters();
  std::vector<std::pair<Tensor, Tensor>> frozen;
  size_t next = 0;
  for (size_t i = 0; i < parameters.count(); ++i) {
    const std::string& name = parameters.name(i);
    if (next < state.size() && state[next].name == name) {
      ++next;
    } else {
      const Tensor& target = parameters.tensor(i);
      frozen.emplace_back(target, reader.read_finite("param/" + name, target.shape()));
    }
  }
  reader.finish();

  const bool has_gradient =
      std::any_of(gradients.begin(), gradients.end(), [](const Tensor& g) { return g.defined(); });
  if (has_gradient && !sum_) sum_ = memory_.empty({offsets_.back()});

  optimizer_.invalidate();
  accumulated_ = Tensor();
  present_.assign(gradients.size(), false);
  for (auto& [target, source] : frozen) memory_.assign(target, source);
  if (has_gradient) memory_.fill_zero(sum_);
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i]) continue;
    Tensor slice = slice_of(sum_, i);
    memory_.assign(slice, gradients[i]);
    present_[i] = true;
  }
  // Last, since it waits for the device.
  optimizer_.restore(state, update_count);
  if (has_gradient) accumulated_ = sum_;
  batch_count_ = batch_count;
}

}  // namespace ata
