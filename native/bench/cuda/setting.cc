#include "setting.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/random.h"
#include "base/threads.h"
#include "model/backbones/vit_config.h"
#include "moving_clip.h"

namespace ata::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <typename Body>
double seconds(const Body& body) {
  const auto begin = Clock::now();
  body();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr int64_t kChannels = 48;

// Rows of unit length.
void normalize(std::vector<float>& features) {
  for (auto row = features.begin(); row != features.end(); row += kChannels) {
    float sum = 0;
    for (int64_t c = 0; c < kChannels; ++c) sum += row[c] * row[c];
    for (int64_t c = 0; c < kChannels; ++c) row[c] /= std::sqrt(sum);
  }
}

// Features of both frames of a problem.
void fill_features(MatrixKind kind, int64_t size, Random& random, std::vector<float>& now,
                   std::vector<float>& next) {
  if (kind == MatrixKind::kHard) {
    std::vector<float> prototypes(8 * kChannels);
    for (float& value : prototypes) value = random.normal();
    for (std::vector<float>* features : {&now, &next}) {
      for (int64_t i = 0; i < size * kChannels; ++i) {
        const int64_t prototype = i / kChannels % 8 * kChannels + i % kChannels;
        (*features)[static_cast<size_t>(i)] =
            prototypes[static_cast<size_t>(prototype)] + 1e-3F * random.normal();
      }
    }
    return;
  }
  for (float& value : now) value = random.normal();
  for (int64_t i = 0; i < size * kChannels; ++i) {
    const auto moved = static_cast<size_t>((i + kChannels) % (size * kChannels));
    next[static_cast<size_t>(i)] = now[moved] + 0.5F * random.normal();
  }
}

// A checkpoint that lives as long as the process.
class ModelFile {
 public:
  explicit ModelFile(bool small)
      : path_((std::filesystem::temp_directory_path() /
               concat("ata_cuda_bench_", getpid(), ".safetensors"))
                  .string()) {
    Model::create(model_config(small), 1)->save(path_);
  }
  ~ModelFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

}  // namespace

bool is_emulated(const Device& device) {
  return device.info().description.starts_with("emulated");
}

Ceilings measure_ceilings(MeteredDevice& device) {
  const Context context = make_context(device);
  Ceilings ceilings;
  {
    constexpr int64_t kBytes = int64_t{1} << 31;
    const Tensor from = context.zeros({kBytes}, DType::kU8);
    Tensor to = context.empty({kBytes}, DType::kU8);
    const auto copy = [&] {
      device.copy(to.address(), from.address(), to.bytes(), *context.stream);
    };
    ceilings.bytes = 2.0 * kBytes / time_calls(context, copy, false).median;
  }
  const auto product_rate = [&](int64_t n, DType dtype) {
    const Tensor x = random_tensor(context, {n, n}, dtype, 1);
    const Tensor weight = random_tensor(context, {n, n}, DType::kF32, 2);
    const auto packed = context.run(&Kernels::pack_linear, weight, dtype);
    Tensor y = context.empty({n, n}, dtype == DType::kBF16 ? DType::kBF16 : DType::kF32);
    const auto multiply = [&] {
      context.run(&Kernels::linear, x, Tensor(), packed.get(), Tensor(), Activation::kNone, false,
                  y);
    };
    return 2.0 * std::pow(static_cast<double>(n), 3) / time_calls(context, multiply, false).median;
  };
  ceilings.bf16_operations = product_rate(8192, DType::kBF16);
  ceilings.f32_operations = product_rate(4096, DType::kF32);
  return ceilings;
}

Times time_calls(const Context& context, const std::function<void()>& run, bool each) {
  constexpr int kWarmUps = 3;  // the first runs, the second is recorded, the third repeats it
  constexpr double kBatchSeconds = 0.01, kSeconds = 0.2;
  constexpr size_t kLeastSamples = 5;
  for (int i = 0; i < kWarmUps; ++i) run();
  context.synchronize();
  const auto sample = [&](int calls) {
    return seconds([&] {
             for (int i = 0; i < calls; ++i) run();
             context.synchronize();
           }) /
           calls;
  };
  const double first = sample(1);
  const int calls = each ? 1 : static_cast<int>(std::clamp(kBatchSeconds / first, 1.0, 1000.0));
  std::vector<double> samples;
  for (double total = 0; total < kSeconds || samples.size() < kLeastSamples;) {
    samples.push_back(sample(calls));
    total += samples.back() * calls;
  }
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples.front()};
}

Tensor random_tensor(const Context& context, const Shape& shape, DType dtype, uint64_t seed) {
  constexpr int64_t kDistinct = 1 << 22;
  Tensor host(shape, DType::kF32);
  float* const values = host.data<float>();
  const int64_t count = host.count(), distinct = std::min(count, kDistinct);
  Random random(seed);
  for (int64_t i = 0; i < distinct; ++i) values[i] = random.normal();
  for (int64_t i = distinct; i < count; i += distinct) {
    std::copy_n(values, std::min(distinct, count - i), values + i);
  }
  const Tensor uploaded = context.upload(host);
  if (dtype == DType::kF32) return uploaded;
  Tensor result = context.empty(shape, dtype);
  context.run(&Kernels::convert, uploaded, result);
  return result;
}

Tensor similarity_matrices(MatrixKind kind, int64_t count, int64_t size) {
  Tensor matrices({count, size, size}, DType::kF32);
  float* const out = matrices.data<float>();
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> now(static_cast<size_t>(size * kChannels)), next(now.size());
    for (int64_t problem = begin; problem < end; ++problem) {
      Random random(7, static_cast<uint64_t>(problem));
      fill_features(kind, size, random, now, next);
      normalize(now);
      normalize(next);
      float* row = out + problem * size * size;
      for (auto a = now.begin(); a != now.end(); a += kChannels) {
        for (auto b = next.begin(); b != next.end(); b += kChannels) {
          float sum = 0;
          for (int64_t c = 0; c < kChannels; ++c) sum += a[c] * b[c];
          *row++ = sum;
        }
      }
    }
  });
  return matrices;
}

ModelConfig model_config(bool small) {
  ModelConfig config = ModelConfig::named("vit-base");
  if (!small) return config;
  VitConfig vit;
  vit.patch_size = 8;
  vit.width = 32;
  vit.blocks = 2;
  vit.heads = 2;
  set_backbone(config, vit);
  config.image_size = 24;
  config.frames = 3;
  config.classes = 5;
  return config;
}

std::shared_ptr<const Model> inference_model(const Setting& setting, ModelOptions options) {
  static const ModelFile file(setting.small);
  options.device = &setting.device;
  return Model::load(file.path(), options);
}

Tensor clips_on(const Context& context, const ModelConfig& config, int64_t batch) {
  // Long clips go to and fro: to make every frame of them would take longer than to measure.
  ModelConfig first = config;
  first.frames = std::min(config.frames, 8);
  const Tensor made = moving_clip(first);
  const int64_t pixels = int64_t{config.image_size} * config.image_size;
  Tensor clips({batch, 3, config.frames, config.image_size, config.image_size}, DType::kF32);
  float* out = clips.data<float>();
  for (int64_t plane = 0; plane < batch * 3; ++plane) {
    const float* const channel = made.data<float>() + plane % 3 * first.frames * pixels;
    for (int64_t t = 0; t < config.frames; ++t) {
      const int64_t turn = t % (2 * first.frames);
      const int64_t frame = turn < first.frames ? turn : 2 * first.frames - 1 - turn;
      out = std::copy_n(channel + frame * pixels, pixels, out);
    }
  }
  return context.copy(clips);
}

}  // namespace ata::bench
