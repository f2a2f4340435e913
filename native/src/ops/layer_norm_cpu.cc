#include <cmath>

#include "backend/simd_targets.h"
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

// With g = dy * gamma and hat = (x - mean) * rstd: dx = rstd * (g - mean(g) - hat * mean(g hat)).
void layer_norm_input_gradient(const float* dy, const float* x, const float* gamma,
                               const float* mean, const float* rstd, int64_t rows, int64_t columns,
                               bool accumulate, float* dx) {
  const FloatTag d;
  const float inverse = 1.0f / static_cast<float>(columns);
  for (int64_t row = 0; row < rows; ++row) {
    const float* dy_row = dy + row * columns;
    const float* x_row = x + row * columns;
    float* dx_row = dx + row * columns;
    const FloatVec centre = hn::Set(d, mean[row]);
    const FloatVec scale = hn::Set(d, rstd[row]);
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

// dgamma += sum of dy * hat, dbeta += sum of dy, over all rows, for `columns` columns.
void layer_norm_parameter_gradient(const float* dy, const float* x, const float* mean,
                                   const float* rstd, int64_t rows, int64_t stride, int64_t columns,
                                   float* dgamma, float* dbeta) {
  const FloatTag d;
  constexpr int64_t kBlock = 128;  // see add_column_sums
  for_vectors(d, columns, [&](int64_t c, int64_t n) HWY_ATTR {
    FloatVec gamma_total = hn::Zero(d), beta_total = hn::Zero(d);
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      const int64_t end = HWY_MIN(rows, begin + kBlock);
      FloatVec gamma_sum = hn::Zero(d), beta_sum = hn::Zero(d);
      for (int64_t r = begin; r < end; ++r) {
        const FloatVec g = load_some(d, dy + r * stride + c, n);
        const FloatVec hat = hn::Mul(
            hn::Sub(load_some(d, x + r * stride + c, n), hn::Set(d, mean[r])), hn::Set(d, rstd[r]));
        gamma_sum = hn::MulAdd(g, hat, gamma_sum);
        beta_sum = hn::Add(beta_sum, g);
      }
      gamma_total = hn::Add(gamma_total, gamma_sum);
      beta_total = hn::Add(beta_total, beta_sum);
    }
    if (dgamma) {
      store_some(d, hn::Add(load_some(d, dgamma + c, n), gamma_total), dgamma + c, n);
    }
    if (dbeta) store_some(d, hn::Add(load_some(d, dbeta + c, n), beta_total), dbeta + c, n);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(layer_norm_f32);
HWY_EXPORT(layer_norm_bf16);
HWY_EXPORT(layer_norm_input_gradient);
HWY_EXPORT(layer_norm_parameter_gradient);

namespace cpu {
namespace {

// Rows that are worth a thread of their own.
constexpr int64_t kGrain = 16;

}  // namespace

void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float epsilon, Tensor& y,
                Tensor& mean, Tensor& rstd) {
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

void layer_norm_gradient(const Tensor& dy, const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& rstd, bool accumulate, Tensor& dx, Tensor& dgamma,
                         Tensor& dbeta) {
  const int64_t rows = x.dim(0);
  const int64_t columns = x.dim(1);
  const float* gradient = dy.data<float>();
  const float* source = x.data<float>();
  const float* scale = gamma.data<float>();
  const float* means = mean.data<float>();
  const float* rstds = rstd.data<float>();
  if (dgamma || dbeta) {
    float* gamma_out = dgamma ? dgamma.data<float>() : nullptr;
    float* beta_out = dbeta ? dbeta.data<float>() : nullptr;
    parallel_for(columns, 64, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(layer_norm_parameter_gradient)
      (gradient + begin, source + begin, means, rstds, rows, columns, end - begin,
       gamma_out ? gamma_out + begin : nullptr, beta_out ? beta_out + begin : nullptr);
    });
  }
  if (dx) {
    float* out = dx.data<float>();
    parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * columns;
      HWY_DYNAMIC_DISPATCH(layer_norm_input_gradient)
      (gradient + at, source + at, scale, means + begin, rstds + begin, end - begin, columns,
       accumulate, out + at);
    });
  }
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
