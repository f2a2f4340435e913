#include "ops/embedding.h"

#include <algorithm>
#include <cmath>

#include "ops/checks.h"

namespace ata {
namespace {

// One axis of a resampling: output i is the weighted sum of `taps` inputs.
struct Axis {
  int taps;
  std::vector<int64_t> index;  // [outputs, taps]
  std::vector<double> weight;
};

Axis nearest_axis(int64_t from, int64_t to) {
  Axis axis{1, {}, {}};
  // In single precision, as the framework that the checkpoints come from computes it.
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  for (int64_t i = 0; i < to; ++i) {
    const int64_t source = static_cast<int64_t>(std::floor(static_cast<float>(i) * scale));
    axis.index.push_back(std::min(source, from - 1));
    axis.weight.push_back(1.0);
  }
  return axis;
}

// Keys' cubic (1981) with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

// Sample centres at (i + 0.5) / extent. The cubic is as wide as the coarser of the two grids asks
// for, and what of it lies outside the inputs is left out.
Axis bicubic_axis(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double width = std::max(scale, 1.0);
  Axis axis{
      static_cast<int>(std::min(from, 2 * static_cast<int64_t>(std::ceil(2 * width)) + 1)), {}, {}};
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const int64_t begin =
        std::clamp<int64_t>(static_cast<int64_t>(centre - 2 * width + 0.5), 0, from - axis.taps);
    const int64_t end = std::min(from, static_cast<int64_t>(centre + 2 * width + 0.5));
    double sum = 0;
    const size_t first = axis.weight.size();
    for (int64_t tap = begin; tap < begin + axis.taps; ++tap) {
      const double x = (static_cast<double>(tap) + 0.5 - centre) / width;
      axis.index.push_back(tap);
      axis.weight.push_back(tap < end ? cubic(x) : 0);
      sum += axis.weight.back();
    }
    for (size_t tap = first; tap < axis.weight.size(); ++tap) axis.weight[tap] /= sum;
  }
  return axis;
}

// Rows of `x` `[1, R0, D]` combined into `[1, R, D]`, differentiably; index and weight of the host.
Variable gather(const Context& context, const Variable& x, const Tensor& host_index,
                const Tensor& host_weight) {
  const Tensor index = context.upload(host_index), weight = context.upload(host_weight);
  const Shape from = x.value().shape();
  const bool record = context.records(x);
  Tensor y = context.empty({1, index.dim(0), from[2]});
  Tensor rows = y.reshape({index.dim(0), from[2]});
  context.run(&Kernels::gather_rows, x.value().reshape({from[1], from[2]}), index, weight, rows);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, x, index, weight, from, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      Tensor dx = context.gradient(x).reshape({from[1], from[2]});
      context.run(&Kernels::gather_rows_gradient, dy.reshape({dy.dim(1), dy.dim(2)}), index, weight,
                  dx);
    });
  }
  return out;
}

void check_embedding(const char* op, const char* name, const Variable& x) {
  require(x.defined(), op, ": ", name, " is missing");
  const Tensor& value = x.value();
  require(value.dtype() == DType::kF32 && value.rank() == 3 && value.dim(0) == 1, op, ": ", name,
          " must be f32 [1, rows, D], not ", dtype_name(value.dtype()), " of shape ",
          value.shape().to_string());
}

}  // namespace

Variable embed_tokens(const Context& context, const Variable& patches, const Variable& cls_token,
                      const Variable& pos_embed, const Variable& time_embed,
                      const ClipLayout& layout, int64_t class_rows) {
  const char* const op = "embed_tokens";
  require(patches.defined() && cls_token.defined() && pos_embed.defined(), op,
          ": patches, cls_token or pos_embed is missing");
  check_matrix(op, "patches", patches.value(), /*allow_bf16=*/false);
  const int64_t rows = patches.value().dim(0);
  const int64_t dim = patches.value().dim(1);
  require(layout.clips >= 1 && layout.frames >= 1 && class_rows >= 0 && rows == layout.patch_rows(),
          op, ": ", rows, " patches are not ", layout.clips, " clips of ", layout.frames,
          " frames of ", layout.patches);
  check_f32(op, "cls_token", cls_token.value(), {1, 1, dim});
  check_f32(op, "pos_embed", pos_embed.value(), {1, layout.patches + 1, dim});
  if (time_embed.defined()) {
    check_f32(op, "time_embed", time_embed.value(), {1, layout.frames, dim});
  }

  const bool record = context.records(patches, cls_token, pos_embed, time_embed);
  Tensor y = context.empty({rows + class_rows, dim});
  context.run(&Kernels::embed_tokens, patches.value(), cls_token.value(), pos_embed.value(),
              time_embed.defined() ? time_embed.value() : Tensor(), layout, y);
  Variable out(y, record);
  if (record) {
    context.tape->record([context, patches, cls_token, pos_embed, time_embed, layout, rows, out] {
      const Tensor dy = out.take_gradient();
      if (!dy) return;
      Tensor none;
      const auto gradient = [&](const Variable& variable) -> Tensor& {
        return variable.requires_gradient() ? context.gradient(variable) : none;
      };
      context.run(&Kernels::embed_tokens_gradient, dy, layout, gradient(cls_token),
                  gradient(pos_embed), gradient(time_embed));
      context.accumulate_gradient(patches, dy.slice(0, rows));
    });
  }
  return out;
}

Variable resample_positions(const Context& context, const Variable& pos_embed, int64_t from_height,
                            int64_t from_width, int64_t to_height, int64_t to_width,
                            Resampling resampling) {
  const char* const op = "resample_positions";
  check_embedding(op, "pos_embed", pos_embed);
  require(from_height >= 1 && from_width >= 1 &&
              pos_embed.value().dim(1) == 1 + from_height * from_width,
          op, ": pos_embed has ", pos_embed.value().dim(1), " rows; a grid of ", from_height, " x ",
          from_width, " and the class token need ", 1 + from_height * from_width);
  require(to_height >= 1 && to_width >= 1, op, ": cannot resample to ", to_height, " x ", to_width);
  if (from_height == to_height && from_width == to_width) return pos_embed;

  const auto axis = resampling == Resampling::kNearest ? nearest_axis : bicubic_axis;
  const Axis vertical = axis(from_height, to_height);
  const Axis horizontal = axis(from_width, to_width);
  const int64_t taps = vertical.taps * horizontal.taps;
  Tensor index = Tensor::zeros({1 + to_height * to_width, taps}, DType::kI32);
  Tensor weight = Tensor::zeros({1 + to_height * to_width, taps}, DType::kF32);
  int32_t* indices = index.data<int32_t>();
  float* weights = weight.data<float>();
  weights[0] = 1.0f;  // the class position: row 0, kept
  int64_t at = taps;
  for (int64_t y = 0; y < to_height; ++y) {
    for (int64_t x = 0; x < to_width; ++x) {
      for (int64_t v = y * vertical.taps; v < (y + 1) * vertical.taps; ++v) {
        for (int64_t h = x * horizontal.taps; h < (x + 1) * horizontal.taps; ++h) {
          const auto vi = static_cast<size_t>(v), hi = static_cast<size_t>(h);
          indices[at] =
              static_cast<int32_t>(1 + vertical.index[vi] * from_width + horizontal.index[hi]);
          weights[at++] = static_cast<float>(vertical.weight[vi] * horizontal.weight[hi]);
        }
      }
    }
  }
  return gather(context, pos_embed, index, weight);
}

Variable resample_times(const Context& context, const Variable& time_embed, int64_t to_frames) {
  const char* const op = "resample_times";
  check_embedding(op, "time_embed", time_embed);
  const int64_t from = time_embed.value().dim(1);
  require(from >= 1 && to_frames >= 1, op, ": cannot resample ", from, " frames to ", to_frames);
  if (from == to_frames) return time_embed;
  const Axis axis = nearest_axis(from, to_frames);
  Tensor index({to_frames, 1}, DType::kI32);
  Tensor weight({to_frames, 1}, DType::kF32);
  for (int64_t t = 0; t < to_frames; ++t) {
    index.data<int32_t>()[t] = static_cast<int32_t>(axis.index[static_cast<size_t>(t)]);
    weight.data<float>()[t] = 1.0f;
  }
  return gather(context, time_embed, index, weight);
}

}  // namespace ata
