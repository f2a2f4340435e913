#include "tensor/product.h"

#include <algorithm>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/product.cc"
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

// Four rows of four channels, transposed.
HWY_INLINE void transpose_4x4(const float* rows, int64_t row_stride, float* out) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t j = 0; j < 4; ++j) {
    for (int64_t k = 0; k < 4; ++k) out[k * kPanelWidth + j] = rows[j * row_stride + k];
  }
#else
  const hn::FixedTag<float, 4> tag;
  const hn::Repartition<double, decltype(tag)> pairs;
  const auto row0 = hn::LoadU(tag, rows);
  const auto row1 = hn::LoadU(tag, rows + row_stride);
  const auto row2 = hn::LoadU(tag, rows + 2 * row_stride);
  const auto row3 = hn::LoadU(tag, rows + 3 * row_stride);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(tag, row0, row1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(tag, row2, row3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(tag, row0, row1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(tag, row2, row3));
  const auto store = [&](int k, auto column) {
    hn::StoreU(hn::BitCast(tag, column), tag, out + k * kPanelWidth);
  };
  store(0, hn::InterleaveLower(pairs, low01, low23));
  store(1, hn::InterleaveUpper(pairs, low01, low23));
  store(2, hn::InterleaveLower(pairs, high01, high23));
  store(3, hn::InterleaveUpper(pairs, high01, high23));
#endif
}

// out[k][j] = rows[j][k] for the `count` rows of one panel, zeros for the rest of its width.
void pack_panel(const float* rows, int64_t count, int64_t channels, float* out) {
  if (count < kPanelWidth) std::fill_n(out, channels * kPanelWidth, 0.0F);
  constexpr int64_t kBlock = 16;  // as many channels at once: one cache line of each row
  for (int64_t k0 = 0; k0 < channels; k0 += kBlock) {
    const int64_t k1 = std::min(k0 + kBlock, channels);
    int64_t j = 0;
    if (k1 - k0 == kBlock) {
      for (; j + 4 <= count; j += 4) {
        for (int64_t k = k0; k < k1; k += 4) {
          transpose_4x4(rows + j * channels + k, channels, out + k * kPanelWidth + j);
        }
      }
    }
    for (; j < count; ++j) {
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
HWY_EXPORT(pack_panel);
HWY_EXPORT(multiply);

int64_t panel_elements(int64_t columns, int64_t depth) {
  const int64_t width = HWY_DYNAMIC_DISPATCH(panel_width)();
  return (columns + width - 1) / width * width * depth;
}

void pack_transposed(const float* matrix, int64_t columns, int64_t depth, float* panels) {
  const int64_t width = HWY_DYNAMIC_DISPATCH(panel_width)();
  for (int64_t j = 0; j < columns; j += width) {
    HWY_DYNAMIC_DISPATCH(pack_panel)
    (matrix + j * depth, std::min(width, columns - j), depth, panels + j * depth);
  }
}

void pack(const float* matrix, int64_t columns, int64_t depth, float* panels) {
  const int64_t width = HWY_DYNAMIC_DISPATCH(panel_width)();
  for (int64_t j = 0; j < columns; j += width) {
    const int64_t count = std::min(width, columns - j);
    for (int64_t k = 0; k < depth; ++k) {
      float* line = panels + j * depth + k * width;
      std::copy_n(matrix + k * columns + j, count, line);
      std::fill(line + count, line + width, 0.0F);
    }
  }
}

void multiply_panels(const float* a, int64_t rows, int64_t depth, const float* panels,
                     int64_t columns, float* out) {
  HWY_DYNAMIC_DISPATCH(multiply)(a, rows, depth, panels, columns, out);
}

}  // namespace ata
#endif  // HWY_ONCE
