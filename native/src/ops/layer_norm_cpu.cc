#include <algorithm>
#include <cmath>

#include "base/simd_targets.h"
#include "base/threads.h"
#include "ops/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/layer_norm_cpu.cc"
#include "hwy/foreach_target.h"
#include "ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

// One row, read three times from the first-level cache: mean, variance about it, result.
template <typename T>
HWY_INLINE void normalise_row(const float* x, const float* gamma, const float* beta,
                              int64_t columns, float epsilon, T* y, float* mean, float* rstd) {
  const FloatTag d;
  FloatVec sum = hn::Zero(d);
  for_vectors(d, columns,
              [&](int64_t i, int64_t n) HWY_ATTR { sum = hn::Add(sum, load_some(d, x + i, n)); });
  *mean = sum_of_lanes(d, sum) / static_cast<float>(columns);
  const FloatVec centre = hn::Set(d, *mean);
  FloatVec squares = hn::Zero(d);
  for_vectors(d, columns, [&](int64_t i, int64_t n) HWY_ATTR {
    FloatVec centred = hn::Sub(load_some(d, x + i, n), centre);
    if (n < static_cast<int64_t>(hn::Lanes(d))) {
      centred = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n)), centred);
    }
    squares = hn::MulAdd(centred, centred, squares);
  });
  *rstd = 1.0f / std::sqrt(sum_of_lanes(d, squares) / static_cast<float>(columns) + epsilon);
  const FloatVec scale = hn::Set(d, *rstd);
  for_vectors(d, columns, [&](int64_t i, int64_t n) HWY_ATTR {
    const FloatVec hat = hn::Mul(hn::Sub(load_some(d, x + i, n), centre), scale);
    store_some(d, hn::MulAdd(hat, load_some(d, gamma + i, n), load_some(d, beta + i, n)), y + i, n);
  });
}

// mean and rstd may be null.
template <typename T>
HWY_INLINE void normalise_rows(const float* x, const float* gamma, const float* beta, int64_t rows,
                               int64_t columns, float epsilon, T* y, float* mean, float* rstd) {
  for (int64_t row = 0; row < rows; ++row) {
    float m, r;
    normalise_row(x + row * columns, gamma, beta, columns, epsilon, y + row * columns, &m, &r);
    if (mean) {
      mean[row] = m;
      rstd[row] = r;
    }
  }
}

void layer_norm_f32(const float* x, const float* gamma, const float* beta, int64_t rows,
                    int64_t columns, float epsilon, float* y, float* mean, float* rstd) {
  normalise_rows(x, gamma, beta, rows, columns, epsilon, y, mean, rstd);
}

void layer_norm_bf16(const float* x, const float* gamma, const float* beta, int64_t rows,
                     int64_t columns, float epsilon, BFloat16* y, float* mean, float* rstd) {
  normalise_rows(x, gamma, beta, rows, columns, epsilon, y, mean, rstd);
}

// With g = dy * gamma and hat = (x - mean) * rstd: dx = rstd * (g - mean(g) - hat * mean(g hat)),
// dgamma += sum of dy * hat, dbeta += sum of dy. dx, or dgamma and dbeta, may be null.
void layer_norm_gradient(const float* dy, const float* x, const float* gamma, const float* mean,
                         const float* rstd, int64_t rows, int64_t columns, bool accumulate,
                         float* dx, float* dgamma, float* dbeta) {
  const FloatTag d;
  const float inverse = 1.0f / static_cast<float>(columns);
  for (int64_t row = 0; row < rows; ++row) {
    const float* dy_row = dy + row * columns;
    const float* x_row = x + row * columns;
    const FloatVec centre = hn::Set(d, mean[row]);
    const FloatVec scale = hn::Set(d, rstd[row]);
    if (dgamma) {
      for_vectors(d, columns, [&](int64_t i, int64_t n) HWY_ATTR {
        const FloatVec up = load_some(d, dy_row + i, n);
        const FloatVec hat = hn::Mul(hn::Sub(load_some(d, x_row + i, n), centre), scale);
        store_some(d, hn::MulAdd(up, hat, load_some(d, dgamma + i, n)), dgamma + i, n);
        store_some(d, hn::Add(load_some(d, dbeta + i, n), up), dbeta + i, n);
      });
    }
    if (!dx) continue;
    float* dx_row = dx + row * columns;
    FloatVec sum = hn::Zero(d), projection = hn::Zero(d);
    for_vectors(d, columns, [&](int64_t i, int64_t n) HWY_ATTR {
      // Lanes past the row have a zero gradient and add nothing.
      const FloatVec g = hn::Mul(load_some(d, dy_row + i, n), load_some(d, gamma + i, n));
      const FloatVec hat = hn::Mul(hn::Sub(load_some(d, x_row + i, n), centre), scale);
      sum = hn::Add(sum, g);
      projection = hn::MulAdd(g, hat, projection);
    });
    const FloatVec mean_g = hn::Set(d, sum_of_lanes(d, sum) * inverse);
    const FloatVec mean_projection = hn::Set(d, sum_of_lanes(d, projection) * inverse);
    for_vectors(d, columns, [&](int64_t i, int64_t n) HWY_ATTR {
      const FloatVec g = hn::Mul(load_some(d, dy_row + i, n), load_some(d, gamma + i, n));
      const FloatVec hat = hn::Mul(hn::Sub(load_some(d, x_row + i, n), centre), scale);
      FloatVec result = hn::Mul(scale, hn::NegMulAdd(hat, mean_projection, hn::Sub(g, mean_g)));
      if (accumulate) result = hn::Add(result, load_some(d, dx_row + i, n));
      store_some(d, result, dx_row + i, n);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(layer_norm_f32);
HWY_EXPORT(layer_norm_bf16);
HWY_EXPORT(layer_norm_gradient);

namespace cpu {
namespace {

// Rows that are worth a thread of their own.
constexpr int64_t kGrain = 16;
// Rows whose sums for gamma and beta are formed apart, whatever the number of threads: the bits do
// not depend on it, and the rounding error of one long sum would grow with the number of rows.
constexpr int64_t kBlock = 32;

}  // namespace

void layer_norm(Stream&, const Tensor& x, const Tensor& gamma, const Tensor& beta, float epsilon,
                Tensor& y, Tensor& mean, Tensor& rstd) {
  const int64_t columns = x.dim(1);
  const float* source = x.data<float>();
  const float* scale = gamma.data<float>();
  const float* shift = beta.data<float>();
  float* means = mean ? mean.data<float>() : nullptr;
  float* rstds = rstd ? rstd.data<float>() : nullptr;
  parallel_for(x.dim(0), kGrain, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    float* m = means ? means + begin : nullptr;
    float* r = rstds ? rstds + begin : nullptr;
    if (y.dtype() == DType::kBF16) {
      HWY_DYNAMIC_DISPATCH(layer_norm_bf16)
      (source + at, scale, shift, end - begin, columns, epsilon, y.data<BFloat16>() + at, m, r);
    } else {
      HWY_DYNAMIC_DISPATCH(layer_norm_f32)
      (source + at, scale, shift, end - begin, columns, epsilon, y.data<float>() + at, m, r);
    }
  });
}

void layer_norm_gradient(Stream& stream, const Tensor& dy, const Tensor& x, const Tensor& gamma,
                         const Tensor& mean, const Tensor& rstd, bool accumulate, Tensor& dx,
                         Tensor& dgamma, Tensor& dbeta) {
  const int64_t rows = x.dim(0);
  const int64_t columns = x.dim(1);
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  // Of each block of rows: the sums for gamma, then those for beta.
  Tensor sums;
  if (dgamma || dbeta) {
    sums = Tensor({blocks, 2 * columns}, DType::kF32, stream.allocator);
    std::memset(sums.raw(), 0, sums.bytes());
  }
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block * kBlock;
      const int64_t at = row * columns;
      float* const gamma_sums = sums ? sums.data<float>() + block * 2 * columns : nullptr;
      HWY_DYNAMIC_DISPATCH(layer_norm_gradient)
      (dy.data<float>() + at, x.data<float>() + at, gamma.data<float>(), mean.data<float>() + row,
       rstd.data<float>() + row, std::min(kBlock, rows - row), columns, accumulate,
       dx ? dx.data<float>() + at : nullptr, gamma_sums,
       gamma_sums ? gamma_sums + columns : nullptr);
    }
  });
  const auto add_sums = [&](Tensor& total, int64_t first) {
    if (!total) return;
    float* const out = total.data<float>();
    for (int64_t block = 0; block < blocks; ++block) {
      const float* const part = sums.data<float>() + block * 2 * columns + first;
      for (int64_t i = 0; i < columns; ++i) out[i] += part[i];
    }
  };
  add_sums(dgamma, 0);
  add_sums(dbeta, columns);
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
