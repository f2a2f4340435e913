#include <cstring>

#include "base/simd_targets.h"
#include "base/threads.h"
#include "ops/cpu.h"
#include "tensor/transpose.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/elementwise_cpu.cc"
#include "hwy/foreach_target.h"
#include "ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

void round_to_bf16(const float* from, BFloat16* to, int64_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](int64_t i, int64_t n) HWY_ATTR {
    store_some(d, load_some(d, from + i, n), to + i, n);
  });
}

void widen_to_f32(const BFloat16* from, float* to, int64_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](int64_t i, int64_t n) HWY_ATTR {
    store_some(d, load_some(d, from + i, n), to + i, n);
  });
}

// y = residual + scale * x; residual may be null.
void add_scaled(const float* x, float scale, const float* residual, float* y, int64_t count) {
  const FloatTag d;
  const FloatVec factor = hn::Set(d, scale);
  for_vectors(d, count, [&](int64_t i, int64_t n) HWY_ATTR {
    const FloatVec product = hn::Mul(factor, load_some(d, x + i, n));
    store_some(d, residual ? hn::Add(load_some(d, residual + i, n), product) : product, y + i, n);
  });
}

// y += column sums of x `[rows, stride]` over `columns` columns. Blocks of rows are summed apart
// first: the rounding error of one long sum would grow with the number of rows. Pieces of rows are
// read that are long enough for the hardware to fetch ahead.
void add_column_sums(const float* x, int64_t rows, int64_t stride, int64_t columns, float* y) {
  const FloatTag d;
  constexpr int64_t kBlock = 128, kPiece = 1024;
  alignas(64) float sums[kPiece], totals[kPiece];
  for (int64_t c0 = 0; c0 < columns; c0 += kPiece) {
    const int64_t piece = HWY_MIN(kPiece, columns - c0);
    std::memset(totals, 0, sizeof(totals));
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      std::memset(sums, 0, sizeof(sums));
      for (int64_t r = begin; r < HWY_MIN(rows, begin + kBlock); ++r) {
        const float* const row = x + r * stride + c0;
        for_vectors(d, piece, [&](int64_t c, int64_t n) HWY_ATTR {
          hn::Store(hn::Add(hn::Load(d, sums + c), load_some(d, row + c, n)), d, sums + c);
        });
      }
      for_vectors(d, piece, [&](int64_t c, int64_t) HWY_ATTR {
        hn::Store(hn::Add(hn::Load(d, totals + c), hn::Load(d, sums + c)), d, totals + c);
      });
    }
    for_vectors(d, piece, [&](int64_t c, int64_t n) HWY_ATTR {
      store_some(d, hn::Add(load_some(d, y + c0 + c, n), hn::Load(d, totals + c)), y + c0 + c, n);
    });
  }
}

// An activation at x, f(x), and its slope there, f'(x).
struct Gelu {
  FloatTag d;
  HWY_INLINE FloatVec value(FloatVec x) const { return hn::Mul(x, normal(d, x).distribution); }
  HWY_INLINE FloatVec slope(FloatVec x) const {
    const Normal at = normal(d, x);
    return hn::MulAdd(x, at.density, at.distribution);
  }
};

HWY_INLINE FloatVec sigmoid(FloatTag d, FloatVec u) {
  const FloatVec one = hn::Set(d, 1.0f);
  // Of the negative magnitude, whose exponential cannot overflow.
  const FloatVec power = hn::Exp(d, hn::Neg(hn::Abs(u)));
  const FloatVec large = hn::Div(one, hn::Add(one, power));
  return hn::IfThenElse(hn::Lt(u, hn::Zero(d)), hn::Mul(power, large), large);
}

// f = x sigmoid(u(x)), so that f' = s + x s (1 - s) u'.
HWY_INLINE FloatVec gated_slope(FloatTag d, FloatVec x, FloatVec s, FloatVec du) {
  const FloatVec rest = hn::Sub(hn::Set(d, 1.0f), s);
  return hn::MulAdd(hn::Mul(hn::Mul(x, s), rest), du, s);
}

// u = 1.702 x.
struct QuickGelu {
  FloatTag d;
  HWY_INLINE FloatVec value(FloatVec x) const { return hn::Mul(x, gate(x)); }
  HWY_INLINE FloatVec slope(FloatVec x) const { return gated_slope(d, x, gate(x), factor()); }
  HWY_INLINE FloatVec gate(FloatVec x) const { return sigmoid(d, hn::Mul(factor(), x)); }
  HWY_INLINE FloatVec factor() const { return hn::Set(d, 1.702f); }
};

// (1 + tanh(v)) / 2 = sigmoid(2 v): u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  FloatTag d;
  HWY_INLINE FloatVec value(FloatVec x) const { return hn::Mul(x, gate(x)); }
  HWY_INLINE FloatVec slope(FloatVec x) const {
    const FloatVec square = hn::Mul(x, x);
    return gated_slope(d, x, gate(x), hn::MulAdd(hn::Set(d, 3 * kCubic), square, linear()));
  }
  HWY_INLINE FloatVec gate(FloatVec x) const {
    const FloatVec square = hn::Mul(x, x);
    return sigmoid(d, hn::Mul(x, hn::MulAdd(hn::Set(d, kCubic), square, linear())));
  }
  HWY_INLINE FloatVec linear() const { return hn::Set(d, kLinear); }
  static constexpr float kLinear = 1.5957691216f;
  static constexpr float kCubic = 0.044715f * kLinear;
};

template <class Function, typename T>
void activate_range(const Function& function, const T* x, T* y, int64_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](int64_t i, int64_t n) HWY_ATTR {
    store_some(d, function.value(load_some(d, x + i, n)), y + i, n);
  });
}

template <class Function, typename T>
void activate_gradient_range(const Function& function, const T* x, const float* dy, float* dx,
                             int64_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](int64_t i, int64_t n) HWY_ATTR {
    const FloatVec slope = function.slope(load_some(d, x + i, n));
    store_some(d, hn::Mul(slope, load_some(d, dy + i, n)), dx + i, n);
  });
}

template <class Body>
void with_function(Activation activation, const Body& body) {
  const FloatTag d;
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kGelu:
      return body(Gelu{d});
    case Activation::kQuickGelu:
      return body(QuickGelu{d});
    case Activation::kGeluTanh:
      return body(GeluTanh{d});
  }
}

void activate_f32(Activation activation, const float* x, float* y, int64_t count) {
  with_function(activation, [&](const auto& f) { activate_range(f, x, y, count); });
}
void activate_bf16(Activation activation, const BFloat16* x, BFloat16* y, int64_t count) {
  with_function(activation, [&](const auto& f) { activate_range(f, x, y, count); });
}
void activate_gradient_f32(Activation activation, const float* x, const float* dy, float* dx,
                           int64_t count) {
  with_function(activation, [&](const auto& f) { activate_gradient_range(f, x, dy, dx, count); });
}
void activate_gradient_bf16(Activation activation, const BFloat16* x, const float* dy, float* dx,
                            int64_t count) {
  with_function(activation, [&](const auto& f) { activate_gradient_range(f, x, dy, dx, count); });
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(round_to_bf16);
HWY_EXPORT(widen_to_f32);
HWY_EXPORT(add_scaled);
HWY_EXPORT(add_column_sums);
HWY_EXPORT(activate_f32);
HWY_EXPORT(activate_bf16);
HWY_EXPORT(activate_gradient_f32);
HWY_EXPORT(activate_gradient_bf16);

namespace cpu {
namespace {

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 16384;

}  // namespace

void convert(Stream&, const Tensor& from, Tensor& to) {
  const int64_t count = from.count();
  if (from.dtype() == to.dtype()) {
    const size_t size = dtype_size(from.dtype());
    const char* source = static_cast<const char*>(from.raw());
    char* destination = static_cast<char*>(to.raw());
    parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
      std::memcpy(destination + static_cast<size_t>(begin) * size,
                  source + static_cast<size_t>(begin) * size,
                  static_cast<size_t>(end - begin) * size);
    });
  } else if (to.dtype() == DType::kBF16) {
    const float* source = from.data<float>();
    BFloat16* destination = to.data<BFloat16>();
    parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(round_to_bf16)(source + begin, destination + begin, end - begin);
    });
  } else {
    const BFloat16* source = from.data<BFloat16>();
    float* destination = to.data<float>();
    parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(widen_to_f32)(source + begin, destination + begin, end - begin);
    });
  }
}

void add(Stream&, const Tensor& x, Tensor& y) {
  const float* source = x.data<float>();
  float* destination = y.data<float>();
  parallel_for(x.count(), kGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(add_scaled)
    (source + begin, 1.0f, destination + begin, destination + begin, end - begin);
  });
}

void scale(Stream&, const Tensor& factor, Tensor& y) {
  const float value = factor.data<float>()[0];
  float* data = y.data<float>();
  parallel_for(y.count(), kGrain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(add_scaled)(data + begin, value, nullptr, data + begin, end - begin);
  });
}

void scale_rows(Stream&, const Tensor& x, const Tensor& scale, const Tensor& residual, Tensor& y) {
  const int64_t columns = x.dim(1);
  const float* source = x.data<float>();
  const float* factors = scale ? scale.data<float>() : nullptr;
  const float* base = residual ? residual.data<float>() : nullptr;
  float* destination = y.data<float>();
  parallel_for(x.dim(0), 1 + kGrain / std::max<int64_t>(1, columns),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const int64_t at = row * columns;
                   HWY_DYNAMIC_DISPATCH(add_scaled)
                   (source + at, factors ? factors[row] : 1.0f, base ? base + at : nullptr,
                    destination + at, columns);
                 }
               });
}

void linear_bias_gradient(Stream&, const Tensor& dy, Tensor& dbias) {
  const int64_t columns = dy.dim(1);
  const float* source = dy.data<float>();
  float* destination = dbias.data<float>();
  parallel_for(columns, 64, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(add_column_sums)
    (source + begin, dy.dim(0), columns, end - begin, destination + begin);
  });
}

void transpose(Stream&, const Tensor& x, Tensor& y) {
  const int64_t rows = x.dim(1), columns = x.dim(2);
  const float* source = x.data<float>();
  float* destination = y.data<float>();
  parallel_for(x.dim(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i * rows * columns;
      ata::transpose(source + at, rows, columns, destination + at);
    }
  });
}

void mean_rows(Stream&, const Tensor& x, int64_t count, Tensor& y) {
  const int64_t columns = x.dim(1);
  const float* source = x.data<float>();
  float* destination = y.data<float>();
  std::memset(y.raw(), 0, y.bytes());
  parallel_for(y.dim(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* out = destination + row * columns;
      HWY_DYNAMIC_DISPATCH(add_column_sums)
      (source + row * count * columns, count, columns, columns, out);
      HWY_DYNAMIC_DISPATCH(add_scaled)
      (out, 1.0f / static_cast<float>(count), nullptr, out, columns);
    }
  });
}

void mean_rows_gradient(Stream&, const Tensor& dy, int64_t count, Tensor& dx) {
  const int64_t columns = dx.dim(1);
  const float* source = dy.data<float>();
  float* destination = dx.data<float>();
  parallel_for(dx.dim(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* out = destination + row * columns;
      HWY_DYNAMIC_DISPATCH(add_scaled)
      (source + row / count * columns, 1.0f / static_cast<float>(count), out, out, columns);
    }
  });
}

void gather_rows(Stream&, const Tensor& x, const Tensor& index, const Tensor& weight, Tensor& y) {
  const int64_t columns = x.dim(1);
  const int64_t taps = index.dim(1);
  const int32_t* indices = index.data<int32_t>();
  const float* weights = weight.data<float>();
  const float* source = x.data<float>();
  float* destination = y.data<float>();
  parallel_for(index.dim(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* out = destination + row * columns;
      for (int64_t tap = 0; tap < taps; ++tap) {
        HWY_DYNAMIC_DISPATCH(add_scaled)
        (source + indices[row * taps + tap] * columns, weights[row * taps + tap],
         tap > 0 ? out : nullptr, out, columns);
      }
    }
  });
}

void gather_rows_gradient(Stream&, const Tensor& dy, const Tensor& index, const Tensor& weight,
                          Tensor& dx) {
  // Several rows may come from one: sequential, on embeddings small enough not to matter.
  const int64_t columns = dx.dim(1);
  const int64_t taps = index.dim(1);
  const int32_t* indices = index.data<int32_t>();
  const float* weights = weight.data<float>();
  const float* source = dy.data<float>();
  float* destination = dx.data<float>();
  for (int64_t row = 0; row < index.dim(0); ++row) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      float* out = destination + indices[row * taps + tap] * columns;
      HWY_DYNAMIC_DISPATCH(add_scaled)
      (source + row * columns, weights[row * taps + tap], out, out, columns);
    }
  }
}

void activate(Stream&, const Tensor& x, Activation activation, Tensor& y) {
  const bool bf16 = x.dtype() == DType::kBF16;
  parallel_for(x.count(), kGrain, [&](int64_t begin, int64_t end) {
    if (bf16) {
      HWY_DYNAMIC_DISPATCH(activate_bf16)
      (activation, x.data<BFloat16>() + begin, y.data<BFloat16>() + begin, end - begin);
    } else {
      HWY_DYNAMIC_DISPATCH(activate_f32)
      (activation, x.data<float>() + begin, y.data<float>() + begin, end - begin);
    }
  });
}

void activate_gradient(Stream&, const Tensor& x, Activation activation, const Tensor& dy,
                       Tensor& dx) {
  const bool bf16 = x.dtype() == DType::kBF16;
  const float* gradient = dy.data<float>();
  float* out = dx.data<float>();
  parallel_for(x.count(), kGrain, [&](int64_t begin, int64_t end) {
    if (bf16) {
      HWY_DYNAMIC_DISPATCH(activate_gradient_bf16)
      (activation, x.data<BFloat16>() + begin, gradient + begin, out + begin, end - begin);
    } else {
      HWY_DYNAMIC_DISPATCH(activate_gradient_f32)
      (activation, x.data<float>() + begin, gradient + begin, out + begin, end - begin);
    }
  });
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
