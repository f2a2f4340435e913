// Single entries, on tensors several times as large as a GPU's cache.
#include "alignment/alignment.h"
#include "cases.h"
#include "ops/alignment.h"
#include "ops/soft_alignment.h"

namespace ata::bench {
namespace {

constexpr int64_t kWidth = 768;
constexpr int64_t kPatches = 196;

// What an operation is measured on.
struct Extents {
  ClipLayout layout;
  int64_t width;
  int heads;
};
// So many frames of ViT-B/16 in clips of `frames`.
Extents extents(const Setting& setting, int64_t frames, int64_t all_frames = 256) {
  if (setting.small) return {{1, 3, 9}, 32, 2};
  return {{all_frames / frames, frames, kPatches}, kWidth, 12};
}

std::string type_name(DType dtype) {
  return dtype_name(dtype);
}

// Trajectories that are permutations, in the device's memory.
Tensor trajectories(const Context& context, const ClipLayout& layout) {
  Tensor index = identity_trajectories(layout);
  int32_t* patch = index.data<int32_t>();
  for (int64_t frame = 0; frame < layout.frame_count(); ++frame) {
    for (int64_t n = 0; n < layout.patches; ++n) {
      *patch++ = static_cast<int32_t>((n + 5 * (frame % layout.frames)) % layout.patches);
    }
  }
  return context.copy(index);
}

void temporal(const Setting& setting, int64_t frames, DType dtype) {
  const std::string suffix = concat(type_name(dtype), "/", frames, "_frames");
  register_case(
      "operation/temporal_attention/" + suffix, setting,
      [=](const Setting& s, const Context& context) -> Prepared {
        const auto [layout, width, heads] = extents(s, frames);
        const Tensor qkv = random_tensor(context, {layout.patch_rows(), 3 * width}, dtype);
        const Tensor index = trajectories(context, layout);
        Tensor y = context.empty({layout.patch_rows(), width}, dtype);
        return {[=, layout = layout, heads = heads]() mutable {
          context.run(&Kernels::temporal_attention, qkv, layout, heads, index, Tensor(), y);
        }};
      });
  register_case(
      "operation/temporal_attention_gradient/" + suffix, setting,
      [=](const Setting& s, const Context& context) -> Prepared {
        const auto [layout, width, heads] = extents(s, frames);
        const Tensor qkv = random_tensor(context, {layout.patch_rows(), 3 * width}, dtype);
        const Tensor dy = random_tensor(context, {layout.patch_rows(), width});
        const Tensor index = trajectories(context, layout);
        Tensor dqkv = context.empty(qkv.shape());
        return {[=, layout = layout, heads = heads]() mutable {
          context.run(&Kernels::temporal_attention_gradient, dy, qkv, layout, heads, index,
                      Tensor(), dqkv);
        }};
      });
}

// `joint`: all frames of a clip are one sequence.
void attention(const Setting& setting, bool joint, DType dtype) {
  const auto shape = [joint](const Setting& s) {
    Extents result = extents(s, 8, 128);
    if (joint)
      result.layout = {result.layout.clips, 1, result.layout.frames * result.layout.patches};
    return result;
  };
  const std::string suffix = concat(joint ? "joint/" : "spatial/", type_name(dtype));
  register_case(
      "operation/attention/" + suffix, setting,
      [=](const Setting& s, const Context& context) -> Prepared {
        const auto [layout, width, heads] = shape(s);
        const Tensor qkv = random_tensor(context, {layout.token_rows(), 3 * width}, dtype);
        Tensor y = context.empty({layout.token_rows(), width}, dtype);
        return {[=, layout = layout, heads = heads]() mutable {
          Tensor log_sum, class_rows;
          context.run(&Kernels::attention, qkv, layout, heads, y, log_sum, class_rows);
        }};
      });
  register_case(
      "operation/attention_gradient/" + suffix, setting,
      [=](const Setting& s, const Context& context) -> Prepared {
        const auto [layout, width, heads] = shape(s);
        const Tensor qkv = random_tensor(context, {layout.token_rows(), 3 * width}, dtype);
        const Tensor dy = random_tensor(context, {layout.token_rows(), width});
        Tensor y = context.empty({layout.token_rows(), width}, dtype);
        Tensor log_sum = context.empty({layout.frame_count(), heads, 1 + layout.patches});
        Tensor class_rows = context.empty({layout.frame_count(), width});
        context.run(&Kernels::attention, qkv, layout, heads, y, log_sum, class_rows);
        Tensor dqkv = context.empty(qkv.shape());
        return {[=, layout = layout, heads = heads]() mutable {
          context.run(&Kernels::attention_gradient, dy, qkv, y, log_sum, class_rows, layout, heads,
                      dqkv);
        }};
      });
}

void layer_norm(const Setting& setting) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    register_case("operation/layer_norm/to_" + type_name(dtype), setting,
                  [=](const Setting& s, const Context& context) -> Prepared {
                    const auto [layout, width, heads] = extents(s, 8);
                    const Tensor x = random_tensor(context, {layout.token_rows(), width});
                    const Tensor gamma = random_tensor(context, {width}),
                                 beta = random_tensor(context, {width});
                    Tensor y = context.empty(x.shape(), dtype);
                    return {[=]() mutable {
                      Tensor mean, rstd;
                      context.run(&Kernels::layer_norm, x, gamma, beta, 1e-6f, y, mean, rstd);
                    }};
                  });
  }
  register_case("operation/layer_norm_gradient/f32", setting,
                [](const Setting& s, const Context& context) -> Prepared {
                  const auto [layout, width, heads] = extents(s, 8);
                  const Tensor x = random_tensor(context, {layout.token_rows(), width}),
                               dy = random_tensor(context, x.shape()),
                               gamma = random_tensor(context, {width}),
                               beta = random_tensor(context, {width});
                  Tensor y = context.empty(x.shape()), mean = context.empty({x.dim(0)}),
                         rstd = context.empty({x.dim(0)});
                  context.run(&Kernels::layer_norm, x, gamma, beta, 1e-6f, y, mean, rstd);
                  Tensor dx = context.empty(x.shape()), dgamma = context.zeros({width}),
                         dbeta = context.zeros({width});
                  return {[=]() mutable {
                    context.run(&Kernels::layer_norm_gradient, dy, x, gamma, mean, rstd, false, dx,
                                dgamma, dbeta);
                  }};
                });
}

// The first layer of the MLP on 16 clips.
void linear(const Setting& setting, DType dtype) {
  const auto rows = [](const Setting& s) { return s.small ? 27 : 16 * 8 * kPatches; };
  const auto width = [](const Setting& s) { return s.small ? 32 : kWidth; };
  register_case("operation/linear/" + type_name(dtype), setting,
                [=](const Setting& s, const Context& context) -> Prepared {
                  const int64_t in = width(s), out = 4 * in;
                  const Tensor x = random_tensor(context, {rows(s), in}, dtype),
                               bias = random_tensor(context, {out});
                  const auto packed =
                      context.run(&Kernels::pack_linear, random_tensor(context, {out, in}), dtype);
                  Tensor y = context.empty({rows(s), out}, dtype);
                  return {[=]() mutable {
                    context.run(&Kernels::linear, x, Tensor(), packed.get(), bias,
                                Activation::kGelu, false, y);
                  }};
                });
  register_case(
      "operation/linear_input_gradient/" + type_name(dtype), setting,
      [=](const Setting& s, const Context& context) -> Prepared {
        const int64_t in = width(s), out = 4 * in;
        const Tensor dy = random_tensor(context, {rows(s), out}, dtype),
                     weight = random_tensor(context, {out, in});
        Tensor dx = context.empty({rows(s), in});
        return {[=]() mutable { context.run(&Kernels::linear_input_gradient, dy, weight, dx); }};
      });
  register_case("operation/linear_weight_gradient/" + type_name(dtype), setting,
                [=](const Setting& s, const Context& context) -> Prepared {
                  const int64_t in = width(s), out = 4 * in;
                  const Tensor dy = random_tensor(context, {rows(s), out}, dtype),
                               x = random_tensor(context, {rows(s), in}, dtype);
                  Tensor dweight = context.empty({out, in});
                  return {[=]() mutable {
                    context.run(&Kernels::linear_weight_gradient, dy, x, false, dweight);
                  }};
                });
}

// `nearest` is the similarities and little else; `exact` of unrelated features the hardest there
// is.
void align(const Setting& setting, AlignmentMethod method, const char* name,
           SimilarityProduct product) {
  register_case(
      concat("operation/align/", name), setting,
      [=](const Setting& s, const Context& context) -> Prepared {
        const auto [layout, width, heads] = extents(s, 8);
        const Tensor features = random_tensor(context, {layout.patch_rows(), width});
        const AlignmentOptions options = {.method = method, .product = product};
        auto state = std::make_shared<AlignmentState>();
        return {[=, layout = layout] { ata::align(context, features, layout, options, *state); }};
      });
}

void soft(const Setting& setting) {
  register_case("operation/soft_trajectories/f32", setting,
                [](const Setting& s, const Context& context) -> Prepared {
                  const auto [layout, width, heads] = extents(s, 8);
                  const Variable x(random_tensor(context, {layout.patch_rows(), width}));
                  return {[=, layout = layout] { soft_trajectories(context, x, layout, 0.05f); }};
                });
}

}  // namespace

void register_operations(const Setting& setting) {
  for (const DType dtype : {DType::kBF16, DType::kF32}) {
    for (const int64_t frames : {8, 16, 32}) temporal(setting, frames, dtype);
    attention(setting, /*joint=*/false, dtype);
    attention(setting, /*joint=*/true, dtype);
    linear(setting, dtype);
  }
  layer_norm(setting);
  align(setting, AlignmentMethod::kNearest, "nearest/f32", SimilarityProduct::kF32);
  align(setting, AlignmentMethod::kNearest, "nearest/split_bf16", SimilarityProduct::kFastest);
  align(setting, AlignmentMethod::kExact, "exact/split_bf16", SimilarityProduct::kFastest);
  soft(setting);
}

}  // namespace ata::bench
