// The operations at the sizes of ViT-B/16 on a clip of 8 x 224 x 224, on as many threads as there
// are cores. `reference` is the matrix product whose rate the others are judged by; each benchmark
// reports its own rate (GFLOP/s), or the bytes that it must read and write per second (GB/s).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "ops/attention.h"
#include "ops/cpu_device.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/rows.h"
#include "ops/temporal_attention.h"

namespace ata {
namespace {

constexpr int64_t kFrames = 8, kPatches = 196, kDim = 768;
constexpr int kHeads = 12;
constexpr int64_t kRows = kFrames * kPatches + 1;

Context make_context(Tape* tape = nullptr) {
  Context context = make_context(cpu_device());
  context.stream->allocator = make_workspace(cpu_device().memory());
  context.tape = tape;
  return context;
}

Tensor random_tensor(Shape shape, DType dtype, float scale = 1.0f) {
  Tensor tensor(shape, dtype);
  Random random(static_cast<uint64_t>(shape.count()));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const float value = scale * (random.uniform() - 0.5f);
    if (dtype == DType::kBF16) {
      tensor.data<BFloat16>()[i] = to_bfloat16(value);
    } else {
      tensor.data<float>()[i] = value;
    }
  }
  return tensor;
}

LinearWeights make_weights(const Context& context, int64_t out, int64_t in, DType dtype,
                           bool packed) {
  LinearWeights weights;
  weights.in_features = in;
  weights.out_features = out;
  weights.bias = Variable(random_tensor({out}, DType::kF32), !packed);
  const Tensor plain = random_tensor({out, in}, DType::kF32, 0.05f);
  if (packed) {
    weights.packed = context.run(&Kernels::pack_linear, plain, dtype);
  } else {
    weights.weight = Variable(plain, true);
  }
  return weights;
}

void report_flops(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void report_bytes(benchmark::State& state, double bytes) {
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

// Times `body`, after one call that fills the workspace and compiles the products.
template <class Body>
void measure(benchmark::State& state, const Body& body) {
  body();
  for (auto _ : state) body();
}

// Backward of `out` with a gradient of ones.
void run_backward(Tape& tape, const Context& context, const Variable& out, const Tensor& ones) {
  tape.backward(out, context.copy(ones));
}

Tensor ones_like(const Shape& shape) {
  Tensor tensor(shape, DType::kF32);
  std::fill_n(tensor.data<float>(), tensor.count(), 1.0f);
  return tensor;
}

enum Epilogue { kPlain, kGelu, kResidual };

void linear_forward(benchmark::State& state, int64_t rows, int64_t in, int64_t out, DType dtype,
                    Epilogue epilogue) {
  const Context context = make_context();
  const LinearWeights weights = make_weights(context, out, in, dtype, true);
  const Variable x(random_tensor({rows, in}, dtype));
  LinearOptions options;
  options.out_dtype = epilogue == kResidual ? DType::kF32 : dtype;
  if (epilogue == kGelu) options.activation = Activation::kGelu;
  if (epilogue == kResidual) options.residual = Variable(random_tensor({rows, out}, DType::kF32));
  measure(state, [&] { benchmark::DoNotOptimize(linear(context, x, weights, options)); });
  report_flops(state, 2.0 * static_cast<double>(rows * in * out));
}

void linear_training(benchmark::State& state, int64_t in, int64_t out, DType dtype,
                     Epilogue epilogue) {
  Tape tape;
  const Context context = make_context(&tape);
  const LinearWeights weights = make_weights(context, out, in, dtype, false);
  const Variable x(random_tensor({kRows, in}, dtype), true);
  const Tensor ones = ones_like({kRows, out});
  LinearOptions options;
  options.out_dtype = epilogue == kResidual ? DType::kF32 : dtype;
  if (epilogue == kGelu) options.activation = Activation::kGelu;
  if (epilogue == kResidual) {
    options.residual = Variable(random_tensor({kRows, out}, DType::kF32), true);
  }
  measure(state, [&] {
    run_backward(tape, context, linear(context, x, weights, options), ones);
    x.clear_gradient();
    if (options.residual.defined()) options.residual.clear_gradient();
  });
  report_flops(state, 6.0 * static_cast<double>(kRows * in * out));
}

void layer_norm_forward(benchmark::State& state, DType out) {
  const Context context = make_context();
  const Variable x(random_tensor({kRows, kDim}, DType::kF32));
  const Variable gamma(random_tensor({kDim}, DType::kF32));
  measure(state, [&] { benchmark::DoNotOptimize(layer_norm(context, x, gamma, gamma, out)); });
  report_bytes(state, static_cast<double>(kRows * kDim) * static_cast<double>(4 + dtype_size(out)));
}

void layer_norm_training(benchmark::State& state) {
  Tape tape;
  const Context context = make_context(&tape);
  const Variable x(random_tensor({kRows, kDim}, DType::kF32), true);
  const Variable gamma(random_tensor({kDim}, DType::kF32), true);
  const Variable beta(random_tensor({kDim}, DType::kF32), true);
  const Tensor ones = ones_like({kRows, kDim});
  measure(state, [&] {
    run_backward(tape, context, layer_norm(context, x, gamma, beta), ones);
    x.clear_gradient();
  });
}

void attention_benchmark(benchmark::State& state, ClipLayout layout, DType dtype, bool backward) {
  Tape tape;
  const Context context = make_context(backward ? &tape : nullptr);
  const Variable qkv(random_tensor({layout.token_rows(), 3 * kDim}, dtype, 2.0f), backward);
  const Tensor ones = backward ? ones_like({layout.token_rows(), kDim}) : Tensor();
  measure(state, [&] {
    const Variable y = attention(context, qkv, layout, kHeads);
    if (backward) {
      run_backward(tape, context, y, ones);
      qkv.clear_gradient();
    }
  });
  const double tokens = static_cast<double>(1 + layout.patches);
  // Forward: two products of the sequence's scores; backward: five more.
  report_flops(state, (backward ? 14.0 : 4.0) * tokens * tokens * static_cast<double>(kDim) *
                          static_cast<double>(layout.frame_count()));
}

enum Paths { kIdentity, kPermuted };

void temporal_benchmark(benchmark::State& state, int64_t frames, DType dtype, Paths paths,
                        bool backward) {
  Tape tape;
  const Context context = make_context(backward ? &tape : nullptr);
  const int64_t rows = frames * kPatches;
  const Variable qkv(random_tensor({rows, 3 * kDim}, dtype, 2.0f), backward);
  Tensor trajectories({1, frames, kPatches}, DType::kI32);
  Random random(3);
  for (int64_t t = 0; t < frames; ++t) {
    int32_t* const order = trajectories.data<int32_t>() + t * kPatches;
    std::iota(order, order + kPatches, 0);
    if (paths == kIdentity) continue;
    for (uint32_t n = kPatches; n-- > 1;) std::swap(order[n], order[random.below(n + 1)]);
  }
  const Tensor ones = backward ? ones_like({rows, kDim}) : Tensor();
  measure(state, [&] {
    const Variable y =
        temporal_attention(context, qkv, {1, frames, kPatches}, kHeads, {trajectories, {}});
    if (backward) {
      run_backward(tape, context, y, ones);
      qkv.clear_gradient();
    }
  });
  report_flops(state, (backward ? 14.0 : 4.0) * static_cast<double>(rows * frames * kDim));
}

// The operations of one aligned block of the model, in order; its rate is that of the products and
// attentions it consists of.
void block_forward(benchmark::State& state, DType dtype) {
  const Context context = make_context();
  const auto weights = [&](int64_t out, int64_t in) {
    return make_weights(context, out, in, dtype, true);
  };
  const LinearWeights temporal_qkv = weights(3 * kDim, kDim), temporal_proj = weights(kDim, kDim),
                      temporal_fc = weights(kDim, kDim), qkv = weights(3 * kDim, kDim),
                      proj = weights(kDim, kDim), fc1 = weights(4 * kDim, kDim),
                      fc2 = weights(kDim, 4 * kDim);
  const Variable gamma(random_tensor({kDim}, DType::kF32));
  const Variable x(random_tensor({kRows, kDim}, DType::kF32));
  const ClipLayout layout{1, kFrames, kPatches};
  LinearOptions half, gelu, residual;
  half.out_dtype = gelu.out_dtype = dtype;
  gelu.activation = Activation::kGelu;
  measure(state, [&] {
    const Variable patches = slice_rows(context, x, 0, kFrames * kPatches);
    Variable h = layer_norm(context, patches, gamma, gamma, dtype);
    h = linear(context, h, temporal_qkv, half);
    h = temporal_attention(context, h, {1, kFrames, kPatches}, kHeads, {});
    h = linear(context, h, temporal_proj, half);
    residual.residual = patches;
    linear(context, h, temporal_fc, residual);
    h = layer_norm(context, x, gamma, gamma, dtype);
    h = linear(context, h, qkv, half);
    h = attention(context, h, layout, kHeads);
    residual.residual = x;
    linear(context, h, proj, residual);
    h = layer_norm(context, x, gamma, gamma, dtype);
    h = linear(context, h, fc1, gelu);
    linear(context, h, fc2, residual);
  });
  const double rows = static_cast<double>(kRows), dim = static_cast<double>(kDim);
  report_flops(state, 2.0 * rows * dim * dim * (3 + 1 + 1 + 3 + 1 + 8) +
                          4.0 * rows * dim * static_cast<double>(kFrames + kPatches + 1));
}

void register_all() {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const std::string type = std::string("/") + dtype_name(dtype);
    const auto add = [&](const std::string& name, auto&&... arguments) {
      benchmark::RegisterBenchmark((name + type).c_str(), arguments...)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    };
    add("reference", linear_forward, 1576, 768, 3072, dtype, kPlain);
    add("block", block_forward, dtype);
    add("linear/qkv", linear_forward, kRows, kDim, 3 * kDim, dtype, kPlain);
    add("linear/proj_residual", linear_forward, kRows, kDim, kDim, dtype, kResidual);
    add("linear/fc1_gelu", linear_forward, kRows, kDim, 4 * kDim, dtype, kGelu);
    add("linear/fc2_residual", linear_forward, kRows, 4 * kDim, kDim, dtype, kResidual);
    add("linear/head", linear_forward, 1, kDim, 400, dtype, kPlain);
    add("linear_training/qkv", linear_training, kDim, 3 * kDim, dtype, kPlain);
    add("linear_training/fc1_gelu", linear_training, kDim, 4 * kDim, dtype, kGelu);
    add("linear_training/fc2_residual", linear_training, 4 * kDim, kDim, dtype, kResidual);
    add("layer_norm", layer_norm_forward, dtype);
    const ClipLayout divided{1, kFrames, kPatches}, joint{1, 1, kFrames * kPatches};
    add("attention/divided", attention_benchmark, divided, dtype, false);
    add("attention/joint", attention_benchmark, joint, dtype, false);
    add("attention_training/divided", attention_benchmark, divided, dtype, true);
    add("attention_training/joint", attention_benchmark, joint, dtype, true);
    for (const int64_t frames : {8, 96}) {
      const std::string clip = "/T" + std::to_string(frames);
      add("temporal/identity" + clip, temporal_benchmark, frames, dtype, kIdentity, false);
      add("temporal/permuted" + clip, temporal_benchmark, frames, dtype, kPermuted, false);
      add("temporal_training/identity" + clip, temporal_benchmark, frames, dtype, kIdentity, true);
      add("temporal_training/permuted" + clip, temporal_benchmark, frames, dtype, kPermuted, true);
    }
  }
  benchmark::RegisterBenchmark("layer_norm_training/f32", layer_norm_training)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace
}  // namespace ata

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  ata::register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
