#ifndef ATA_BENCH_CUDA_SETTING_H_
#define ATA_BENCH_CUDA_SETTING_H_

#include <functional>
#include <memory>
#include <string>

#include "metered_device.h"
#include "model/model.h"
#include "ops/context.h"

namespace ata::bench {

/// What everything is measured on, and in which sizes.
struct Setting {
  MeteredDevice& device;
  /// Sizes that an emulated GPU computes in seconds, to try the program itself.
  bool small = false;
  /// The device is emulated: nothing is timed.
  bool emulated = false;
};

/// Whether times of the device would be the CPU's.
bool is_emulated(const Device& device);

/// A copy of 2 GB within the device's memory, and cuBLASLt's products of random matrices: bf16,
/// 8192 wide, and f32, 4096 wide.
Ceilings measure_ceilings(MeteredDevice& device);

/// Seconds of a call.
struct Times {
  double median;
  double best;
};
/// Calls `run` until some 0.2 s have passed, after warming up. Calls are queued, several at a time,
/// and waited for together; `each`: one at a time, for what waits for its own results.
Times time_calls(const Context& context, const std::function<void()>& run, bool each);

/// Standard normal values in the device's memory; those of large tensors repeat.
Tensor random_tensor(const Context& context, const Shape& shape, DType dtype = DType::kF32,
                     uint64_t seed = 1);

/// Matrices of similarities, as alignment meets them.
enum class MatrixKind {
  /// Features that move by one patch, with noise of half their size: few paths are long.
  kEasy,
  /// Eight prototypes with noise of 1e-3: near-ties, and long paths.
  kHard,
};
/// f32 `[count, size, size]` in the host's memory.
Tensor similarity_matrices(MatrixKind kind, int64_t count, int64_t size);

/// ViT-B/16 on clips of 8 x 224 x 224; `small`: two narrow blocks, 3 x 24 x 24.
ModelConfig model_config(bool small);
/// A model of random weights for inference, read from a file that is made once and removed at exit.
std::shared_ptr<const Model> inference_model(const Setting& setting, ModelOptions options);
/// Clips that move, queued for the device's memory: `[batch, 3, T, H, W]` of the configuration.
Tensor clips_on(const Context& context, const ModelConfig& config, int64_t batch);

}  // namespace ata::bench

#endif  // ATA_BENCH_CUDA_SETTING_H_
