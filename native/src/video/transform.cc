#include "video/transform.h"

#include <algorithm>
#include <cmath>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "video/transform.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ata::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// out[x] = sum over k of weights[k] * rows[k * row_bytes + x]. Interleaved channels need no care
/// here, so whole rows are summed at full vector width.
void sum_rows(const uint8_t* HWY_RESTRICT rows, int64_t row_bytes, const float* weights,
              int64_t taps, int64_t length, float* HWY_RESTRICT out) {
  const hn::ScalableTag<float> df;
  const hn::Rebind<int32_t, decltype(df)> di;
  const hn::Rebind<uint8_t, decltype(df)> du8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(df));
  const auto load = [&](const uint8_t* p) HWY_ATTR {
    return hn::ConvertTo(df, hn::PromoteTo(di, hn::LoadU(du8, p)));
  };
  int64_t x = 0;
  for (; x + 4 * lanes <= length; x += 4 * lanes) {
    auto a = hn::Zero(df), b = hn::Zero(df), c = hn::Zero(df), d = hn::Zero(df);
    const uint8_t* p = rows + x;
    for (int64_t k = 0; k < taps; ++k, p += row_bytes) {
      const auto w = hn::Set(df, weights[k]);
      a = hn::MulAdd(w, load(p), a);
      b = hn::MulAdd(w, load(p + lanes), b);
      c = hn::MulAdd(w, load(p + 2 * lanes), c);
      d = hn::MulAdd(w, load(p + 3 * lanes), d);
    }
    hn::StoreU(a, df, out + x);
    hn::StoreU(b, df, out + x + lanes);
    hn::StoreU(c, df, out + x + 2 * lanes);
    hn::StoreU(d, df, out + x + 3 * lanes);
  }
  for (; x < length; ++x) {
    float sum = 0;
    for (int64_t k = 0; k < taps; ++k) {
      sum += weights[k] * static_cast<float>(rows[k * row_bytes + x]);
    }
    out[x] = sum;
  }
}

/// Resizes one row of interleaved f32 pixels and writes it, normalised, to three planes.
void write_row(const FrameTransform::Plan& plan, const float* row, float* out,
               int64_t channel_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (const auto& entry : plan.horizontal.entries) {
    const float* weights = plan.horizontal.weights.data() + entry.first_weight;
    for (int c = 0; c < 3; ++c) {
      const float* value = row + int64_t{entry.begin} * 3 + c;
      float sum = 0;
      for (int32_t k = 0; k < entry.count; ++k) sum += weights[k] * value[3 * k];
      sum = sum < 0.0f ? 0.0f : (sum > 255.0f ? 255.0f : sum);
      out[c * channel_stride] = sum * plan.scale[c] + plan.bias[c];
    }
    ++out;
  }
#else
  // One pixel, three channels and an unused lane, is one vector.
  const hn::FixedTag<float, 4> d;
  alignas(16) const float scales[4] = {plan.scale[0], plan.scale[1], plan.scale[2], 0};
  alignas(16) const float biases[4] = {plan.bias[0], plan.bias[1], plan.bias[2], 0};
  const auto scale = hn::Load(d, scales);
  const auto bias = hn::Load(d, biases);
  const auto lowest = hn::Zero(d);
  const auto highest = hn::Set(d, 255.0f);
  for (const auto& entry : plan.horizontal.entries) {
    const float* weights = plan.horizontal.weights.data() + entry.first_weight;
    const float* pixel = row + int64_t{entry.begin} * 3;
    auto sum = hn::Zero(d);
    for (int32_t k = 0; k < entry.count; ++k, pixel += 3) {
      sum = hn::MulAdd(hn::Set(d, weights[k]), hn::LoadU(d, pixel), sum);
    }
    alignas(16) float values[4];
    hn::Store(hn::MulAdd(hn::Min(hn::Max(sum, lowest), highest), scale, bias), d, values);
    out[0] = values[0];
    out[channel_stride] = values[1];
    out[2 * channel_stride] = values[2];
    ++out;
  }
#endif
}

void transform_frame(const FrameTransform::Plan& plan, const uint8_t* rgb, float* out,
                     int64_t channel_stride, float* row) {
  const int64_t length = (plan.column_end - plan.column_begin) * 3;
  for (const auto& entry : plan.vertical.entries) {
    sum_rows(rgb + entry.begin * plan.row_bytes + plan.column_begin * 3, plan.row_bytes,
             plan.vertical.weights.data() + entry.first_weight, entry.count, length, row);
    write_row(plan, row, out, channel_stride);
    out += plan.horizontal.entries.size();
  }
}

}  // namespace
}  // namespace ata::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(transform_frame);

namespace {

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

/// Keys' cubic with a = -1/2 (Keys, "Cubic convolution interpolation", 1981).
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

FrameTransform::Taps make_taps(const AxisMap& map, ata_interpolation interpolation) {
  const bool linear = interpolation == ATA_BILINEAR;
  const double ratio =
      static_cast<double>(map.source_length) / static_cast<double>(map.scaled_length);
  const double widening = std::max(ratio, 1.0);
  const double support = (linear ? 1.0 : 2.0) * widening;
  FrameTransform::Taps taps;
  taps.entries.reserve(static_cast<size_t>(map.length));
  std::vector<double> weights;
  for (int64_t i = 0; i < map.length; ++i) {
    const int64_t scaled = map.offset + (map.mirrored ? map.length - 1 - i : i);
    const double centre = (static_cast<double>(scaled) + 0.5) * ratio;
    int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - support + 0.5)));
    int64_t end = std::min<int64_t>(map.source_length,
                                    static_cast<int64_t>(std::floor(centre + support + 0.5)));
    const auto weight = [&](int64_t j) {
      const double x = (static_cast<double>(j) + 0.5 - centre) / widening;
      return linear ? triangle(x) : cubic(x);
    };
    while (end - begin > 1 && weight(begin) == 0) ++begin;
    while (end - begin > 1 && weight(end - 1) == 0) --end;
    weights.clear();
    double sum = 0;
    for (int64_t j = begin; j < end; ++j) sum += weights.emplace_back(weight(j));
    taps.entries.push_back({static_cast<int32_t>(map.source_begin + begin),
                            static_cast<int32_t>(end - begin),
                            static_cast<int32_t>(taps.weights.size())});
    for (const double value : weights) taps.weights.push_back(static_cast<float>(value / sum));
  }
  return taps;
}

/// A crop of `size` out of `scaled`, at position `index` of `count`.
AxisMap centred(int64_t source, int64_t scaled, int64_t size, int32_t index, int32_t count) {
  AxisMap map = {0, source, scaled, 0, size, false};
  const int64_t slack = scaled - size;
  map.offset = count == 1 ? (slack + 1) / 2 : (slack * index + count - 2) / (count - 1);
  return map;
}

AxisMap rectangle_side(int64_t source, double begin, double extent, int64_t size) {
  const double length = static_cast<double>(source);
  AxisMap map = {0, 0, size, 0, size, false};
  map.source_length = std::clamp<int64_t>(std::llround(extent * length), 1, source);
  map.source_begin =
      std::clamp<int64_t>(std::llround(begin * length), 0, source - map.source_length);
  return map;
}

}  // namespace

CropMaps crop_maps(const ata_clip_options& options, int64_t height, int64_t width) {
  CropMaps maps;
  const float* crop = options.crop_rectangle;
  if (crop[2] > 0 && crop[3] > 0) {
    maps.vertical = rectangle_side(height, crop[1], crop[3], options.size);
    maps.horizontal = rectangle_side(width, crop[0], crop[2], options.size);
  } else {
    const int64_t resize = options.resize > 0 ? options.resize : options.size;
    const bool portrait = height > width;
    const int64_t scaled_height = portrait ? resize * height / width : resize;
    const int64_t scaled_width = portrait ? resize : resize * width / height;
    // Several crops spread along the longer side; along the other they are in the middle.
    const int32_t count = options.crop_count, index = options.crop_index;
    maps.vertical =
        centred(height, scaled_height, options.size, portrait ? index : 0, portrait ? count : 1);
    maps.horizontal =
        centred(width, scaled_width, options.size, portrait ? 0 : index, portrait ? 1 : count);
  }
  maps.horizontal.mirrored = options.flip != 0;
  return maps;
}

FrameTransform::FrameTransform(const ata_clip_options& options, int64_t height, int64_t width) {
  const CropMaps maps = crop_maps(options, height, width);
  plan_.row_bytes = width * 3;
  plan_.vertical = make_taps(maps.vertical, options.interpolation);
  plan_.horizontal = make_taps(maps.horizontal, options.interpolation);
  plan_.column_begin = width;
  plan_.column_end = 0;
  for (const Taps::Entry& entry : plan_.horizontal.entries) {
    plan_.column_begin = std::min<int64_t>(plan_.column_begin, entry.begin);
    plan_.column_end = std::max<int64_t>(plan_.column_end, entry.begin + entry.count);
  }
  for (Taps::Entry& entry : plan_.horizontal.entries) {
    entry.begin -= static_cast<int32_t>(plan_.column_begin);
  }
  for (int c = 0; c < 3; ++c) {
    plan_.scale[c] = 1.0f / (255.0f * options.std[c]);
    plan_.bias[c] = -options.mean[c] / options.std[c];
  }
}

void FrameTransform::apply(const uint8_t* rgb, float* out, int64_t channel_stride) const {
  // The last pixel is read as a vector of four values.
  std::vector<float> row(static_cast<size_t>(plan_.column_end - plan_.column_begin) * 3 + 1);
  HWY_DYNAMIC_DISPATCH(transform_frame)(plan_, rgb, out, channel_stride, row.data());
}

}  // namespace ata
#endif  // HWY_ONCE
