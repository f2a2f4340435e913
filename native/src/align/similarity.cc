#include "align/similarity.h"

#include <algorithm>
#include <cmath>

#include "align/simd.h"
#include "base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "align/similarity.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, 16>;
using Floats = hn::Vec<Tag>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));
// A tile of kTileRows x (2 vectors) accumulators, two operands and a broadcast fill the registers:
// 32 of them with AVX-512 and NEON, 16 otherwise.
constexpr int kTileRows = (kLanes == 16 || HWY_ARCH_ARM) ? 12 : 6;
constexpr int kTileVectors = 2;
constexpr int64_t kPanelWidth = kTileVectors * kLanes;

int64_t panel_width() {
  return kPanelWidth;
}

double sum_of_squares(const float* x, int64_t count) {
  const Tag tag;
  Floats sum0 = hn::Zero(tag);
  Floats sum1 = sum0;
  int64_t k = 0;
  for (; k + 2 * kLanes <= count; k += 2 * kLanes) {
    const Floats x0 = hn::LoadU(tag, x + k);
    const Floats x1 = hn::LoadU(tag, x + k + kLanes);
    sum0 = hn::MulAdd(x0, x0, sum0);
    sum1 = hn::MulAdd(x1, x1, sum1);
  }
  double sum = static_cast<double>(hn::GetLane(hn::SumOfLanes(tag, hn::Add(sum0, sum1))));
  for (; k < count; ++k) sum += static_cast<double>(x[k]) * x[k];
  return sum;
}

// out[k][j] = rows[j][k] for the `count` rows of one panel, zeros for the rest of its width.
void pack_panel(const float* rows, int64_t count, int64_t channels, float* out) {
  if (count < kPanelWidth) std::fill_n(out, channels * kPanelWidth, 0.0F);
  constexpr int64_t kBlock = 16;  // as many channels at once: one cache line of each row
  for (int64_t k0 = 0; k0 < channels; k0 += kBlock) {
    const int64_t k1 = std::min(k0 + kBlock, channels);
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t k = k0; k < k1; ++k) out[k * kPanelWidth + j] = rows[j * channels + k];
    }
  }
}

// `kRows` rows of `a` times the first `kVectors` vectors of a panel.
template <int kRows, int kVectors>
HWY_INLINE void multiply_tile(const float* a, int64_t channels, const float* panel, float* out,
                              int64_t out_stride, int64_t width) {
  const Tag tag;
  Floats sum[kRows][kVectors];
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(tag);
  }
  for (int64_t k = 0; k < channels; ++k) {
    Floats b[kVectors];
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) b[v] = hn::Load(tag, panel + k * kPanelWidth + v * kLanes);
    HWY_UNROLL(12)
    for (int r = 0; r < kRows; ++r) {
      const Floats x = hn::Set(tag, a[r * channels + k]);
      HWY_UNROLL(2)
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, b[v], sum[r][v]);
    }
  }
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) {
    alignas(64) float line[kVectors * kLanes];
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) hn::Store(sum[r][v], tag, line + v * kLanes);
    std::copy_n(line, width, out + r * out_stride);
  }
}

template <int kRows>
HWY_INLINE void multiply_rows(const float* a, int64_t channels, const float* panel, float* out,
                              int64_t out_stride, int64_t width) {
  if (width > kLanes) {
    multiply_tile<kRows, 2>(a, channels, panel, out, out_stride, width);
  } else {
    multiply_tile<kRows, 1>(a, channels, panel, out, out_stride, width);
  }
}

// out [rows, columns] = a [rows, channels] times packed panels.
void multiply(const float* a, int64_t rows, int64_t channels, const float* panels, int64_t columns,
              float* out) {
  for (int64_t j = 0; j < columns; j += kPanelWidth) {
    const float* panel = panels + j * channels;
    const int64_t width = std::min(kPanelWidth, columns - j);
    int64_t i = 0;
    for (; i + kTileRows <= rows; i += kTileRows) {
      multiply_rows<kTileRows>(a + i * channels, channels, panel, out + i * columns + j, columns,
                               width);
    }
    for (; i + 4 <= rows; i += 4) {
      multiply_rows<4>(a + i * channels, channels, panel, out + i * columns + j, columns, width);
    }
    for (; i < rows; ++i) {
      multiply_rows<1>(a + i * channels, channels, panel, out + i * columns + j, columns, width);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(panel_width);
HWY_EXPORT(sum_of_squares);
HWY_EXPORT(pack_panel);
HWY_EXPORT(multiply);

void NormalizedFrame::assign(const float* features, int64_t patches, int64_t channels,
                             int64_t row_stride, int64_t index) {
  patches_ = patches;
  channels_ = channels;
  rows_.reserve(static_cast<size_t>(patches * channels));
  const int64_t width = HWY_DYNAMIC_DISPATCH(panel_width)();
  panels_.reserve(static_cast<size_t>((patches + width - 1) / width * width * channels));
  for (int64_t i = 0; i < patches; ++i) {
    const float* x = features + i * row_stride;
    float* out = rows_.data() + i * channels;
    double square = HWY_DYNAMIC_DISPATCH(sum_of_squares)(x, channels);
    if (square > 1e-30 && square < 1e30) {
      const float scale = static_cast<float>(1 / std::sqrt(square));
      for (int64_t k = 0; k < channels; ++k) out[k] = x[k] * scale;
      continue;
    }
    // Squares may have left the range of float32, or a feature is not finite.
    square = 0;
    for (int64_t k = 0; k < channels; ++k) square += static_cast<double>(x[k]) * x[k];
    require(std::isfinite(square), "features of frame ", index, ", patch ", i,
            " contain NaN or infinity; alignment needs finite features");
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (int64_t k = 0; k < channels; ++k) out[k] = static_cast<float>(x[k] * scale);
  }
  for (int64_t j = 0; j < patches; j += width) {
    HWY_DYNAMIC_DISPATCH(pack_panel)
    (rows_.data() + j * channels, std::min(width, patches - j), channels,
     panels_.data() + j * channels);
  }
}

void cosine_similarity(const NormalizedFrame& current, int64_t begin, int64_t end,
                       const NormalizedFrame& next, float* out) {
  HWY_DYNAMIC_DISPATCH(multiply)
  (current.rows() + begin * current.channels(), end - begin, current.channels(), next.panels(),
   next.patches(), out);
}

}  // namespace ata
#endif  // HWY_ONCE
