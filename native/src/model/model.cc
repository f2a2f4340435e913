#include "model/model.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"
#include "model/checkpoint.h"
#include "model/precision.h"
#include "ops/devices.h"
#include "tensor/transpose.h"

namespace ata {
namespace {

// Reads a checkpoint tensor by tensor into the form that inference needs.
class PackingWalk : public ParameterWalk {
 public:
  PackingWalk(const Checkpoint& checkpoint, const ModelConfig& config, Resampling resampling,
              Device& device, DType precision)
      : checkpoint_(checkpoint),
        config_(config),
        resampling_(resampling),
        context_(make_context(device)),
        precision_(precision) {}

  bool has(const std::string& name) const override { return checkpoint_.contains(name); }
  bool keeps(const std::string&) const override { return false; }

  // W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)
  void linear_chain(const LinearLayer& first, const LinearLayer& second, LinearWeights* first_out,
                    LinearWeights*) override {
    const Tensor w1 = read(first.weight);
    const Tensor b1 = read(first.bias);
    const Tensor w2 = read(second.weight);
    Tensor bias = read(second.bias);
    const int64_t out = w2.dim(0), inner = w2.dim(1), in = w1.dim(1);
    // On the host, where the weights are, and in more than f32 where that costs nothing.
    const Context host = make_context(cpu_device());
    Tensor w1_transposed = host.empty({in, inner});
    transpose(w1.data<float>(), inner, in, w1_transposed.data<float>());
    Tensor product = host.empty({out, in});
    host.run(&Kernels::linear, w2, w1_transposed, nullptr, Tensor(), Activation::kNone, false,
             product);
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias.data<float>()[o];
      for (int64_t k = 0; k < inner; ++k) {
        sum += static_cast<double>(w2.data<float>()[o * inner + k]) * b1.data<float>()[k];
      }
      bias.data<float>()[o] = static_cast<float>(sum);
    }
    *first_out = pack(product, bias, precision_);
  }

  /// Waits until all is in the device's memory.
  std::vector<ParameterInfo> finish() {
    context_.synchronize();
    return std::move(list_);
  }

 protected:
  Variable take(const ParameterInfo& parameter) override {
    return Variable(context_.upload(read(parameter)));
  }

  LinearWeights take(const LinearLayer& layer) override {
    return pack(read(layer.weight), read(layer.bias),
                layer.full_precision ? DType::kF32 : precision_);
  }

 private:
  Tensor read(const ParameterInfo& parameter) {
    list_.push_back(parameter);
    return checkpoint_.read(parameter.name, config_, resampling_);
  }

  LinearWeights pack(const Tensor& weight, const Tensor& bias, DType precision) const {
    LinearWeights result;
    result.out_features = weight.dim(0);
    result.in_features = weight.count() / weight.dim(0);
    const Tensor matrix = weight.reshape({result.out_features, result.in_features});
    result.packed = context_.run(&Kernels::pack_linear, context_.upload(matrix), precision);
    result.bias = Variable(context_.upload(bias));
    return result;
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  Resampling resampling_;
  Context context_;
  DType precision_;
  std::vector<ParameterInfo> list_;
};

// A checkpoint made for another mode may lack what this one reads.
void check_mode(const Checkpoint& checkpoint, const ModelConfig& config) {
  for (const ParameterInfo& needed : list_parameters(config)) {
    if (checkpoint.contains(needed.name)) continue;
    const char* mode = temporal_mode_name(config.temporal);
    fail(ATA_UNSUPPORTED, "'", checkpoint.path(), "' has no '", needed.name, "', which mode '",
         mode, "' needs (it was made for mode '", temporal_mode_name(checkpoint.config().temporal),
         "'); add it with: ata import ", checkpoint.path(), " OUT.safetensors --temporal ", mode);
  }
}

}  // namespace

ModelOptions ModelOptions::from_c(const ata_model_options& options) {
  ModelOptions result;
  if (options.device != nullptr) result.device = &device_by_name(options.device);
  require(options.precision == ATA_PRECISION_F32 || options.precision == ATA_PRECISION_BF16,
          "precision ", options.precision, " is not one of ata_precision");
  result.precision = options.precision;
  if (options.temporal != -1) {
    result.temporal = static_cast<ata_temporal_mode>(options.temporal);
    temporal_mode_name(*result.temporal);
  }
  if (options.alignment != -1) {
    result.alignment = static_cast<ata_alignment>(options.alignment);
    alignment_name(*result.alignment);
  }
  if (options.align_every != 0) result.align_every = options.align_every;
  if (options.window_radius != -1) result.window_radius = options.window_radius;
  if (options.temperature != 0) result.temperature = options.temperature;
  if (options.iterations != 0) result.iterations = options.iterations;
  if (options.frames != 0) result.frames = options.frames;
  if (options.image_size != 0) result.image_size = options.image_size;
  result.bicubic_positions = options.bicubic_positions != 0;
  result.trainable = options.trainable != 0;
  return result;
}

std::shared_ptr<Model> Model::load(const std::string& path, const ModelOptions& options) {
  return load(Checkpoint(path), options);
}

std::shared_ptr<Model> Model::load(const Checkpoint& checkpoint, const ModelOptions& options) {
  std::shared_ptr<Model> model(new Model());
  ModelConfig& config = model->config_;
  config = checkpoint.config();
  config.temporal = options.temporal.value_or(config.temporal);
  config.alignment = options.alignment.value_or(config.alignment);
  config.align_every = options.align_every.value_or(config.align_every);
  config.window_radius = options.window_radius.value_or(config.window_radius);
  config.temperature = options.temperature.value_or(config.temperature);
  config.iterations = options.iterations.value_or(config.iterations);
  config.frames = options.frames.value_or(config.frames);
  config.image_size = options.image_size.value_or(config.image_size);
  config.validate(ATA_INVALID_ARGUMENT, concat("cannot load '", checkpoint.path(), "' as asked"));
  check_mode(checkpoint, config);
  model->precision_ = options.precision;
  model->device_ = options.device;
  model->trainable_ = options.trainable;

  const Resampling resampling =
      options.bicubic_positions ? Resampling::kBicubic : Resampling::kNearest;
  if (options.trainable) {
    model->list_ =
        list_parameters(config, [&](const std::string& name) { return checkpoint.contains(name); });
    const Context context = make_context(*options.device);
    for (const ParameterInfo& info : model->list_) {
      model->parameters_.add(info.name,
                             context.upload(checkpoint.read(info.name, config, resampling)));
    }
    context.synchronize();
    VariableWalk walk(model->parameters_, /*requires_gradient=*/false);
    model->network_ = std::make_unique<Network>(config, walk);
  } else {
    PackingWalk walk(checkpoint, config, resampling, *options.device,
                     compute_type(options.precision));
    model->network_ = std::make_unique<Network>(config, walk);
    model->list_ = walk.finish();
  }
  return model;
}

std::shared_ptr<Model> Model::create(const ModelConfig& config, uint64_t seed, Device& device) {
  config.validate(ATA_INVALID_ARGUMENT, "model configuration");
  const std::vector<ParameterInfo> list = list_parameters(config);
  std::vector<Tensor> tensors(list.size());
  parallel_for_dynamic(static_cast<int64_t>(list.size()), [&](int64_t i, int) {
    const size_t index = static_cast<size_t>(i);
    tensors[index] = initial_parameter(list[index], seed);
  });
  ParameterSet parameters;
  for (size_t i = 0; i < list.size(); ++i) parameters.add(list[i].name, std::move(tensors[i]));
  return std::make_shared<Model>(config, parameters, device);
}

Model::Model(ModelConfig config, const ParameterSet& parameters, Device& device)
    : config_(std::move(config)),
      device_(&device),
      trainable_(true),
      list_(list_parameters(config_,
                            [&](const std::string& name) { return parameters.contains(name); })) {
  const Context context = make_context(device);
  for (const ParameterInfo& info : list_) {
    const Tensor& tensor = parameters.tensor(info.name);
    parameters_.add(info.name, tensor.device() == nullptr ? context.upload(tensor) : tensor);
  }
  if (parameters_.count() != parameters.count()) {
    fail(ATA_INTERNAL, "there are ", parameters.count(), " weights for a model of ",
         parameters_.count());
  }
  context.synchronize();
  VariableWalk walk(parameters_, /*requires_gradient=*/false);
  network_ = std::make_unique<Network>(config_, walk);
}

std::shared_ptr<Model> Model::with_new_head(int32_t classes, uint64_t seed) const {
  ModelConfig config = config_;
  config.classes = classes;
  config.labels.clear();
  config.validate(ATA_INVALID_ARGUMENT, "the model with a new head");
  const Context context = make_context(*device_);
  ParameterSet parameters;
  for (const ParameterInfo& info : list_parameters(
           config, [&](const std::string& name) { return this->parameters().contains(name); })) {
    parameters.add(info.name, is_head(info.name)
                                  ? initial_parameter(info, seed)
                                  : context.copy(this->parameters().tensor(info.name)));
  }
  context.synchronize();
  return std::make_shared<Model>(config, parameters, *device_);
}

const ParameterSet& Model::parameters() const {
  if (!trainable_) {
    fail(ATA_UNSUPPORTED,
         "the model was loaded for inference, which keeps no plain weights; load it as trainable");
  }
  return parameters_;
}

void Model::set_labels(std::vector<std::string> labels) {
  require(labels.empty() || labels.size() == static_cast<size_t>(config_.classes), "there are ",
          labels.size(), " labels for ", config_.classes, " classes");
  config_.labels = std::move(labels);
}

void Model::save(const std::string& path) const {
  const Context context = make_context(*device_);
  ParameterSet host;
  for (size_t i = 0; i < parameters().count(); ++i) {
    host.add(parameters().name(i), context.download(parameters().tensor(i), /*may_share=*/true));
  }
  save_checkpoint(path, config_, host);
}

}  // namespace ata
