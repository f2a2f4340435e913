#include "cuda/entries.h"
#include "cuda/kernels/each.cuh"
#include "cuda/kernels/linear_end.h"

namespace ata::cuda {
namespace {

template <class From, class To>
struct Convert {
  const From* from;
  To* to;
  __device__ void operator()(int64_t i) const { to[i] = narrow<To>(widen(from[i])); }
};

struct Add {
  const float* x;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] += x[i]; }
};

struct Scale {
  const float* factor;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] *= *factor; }
};

struct ScaleBy {
  float factor;
  bool accumulate;
  const float* x;
  float* y;
  __device__ void operator()(int64_t i) const {
    y[i] = accumulate ? fmaf(factor, x[i], y[i]) : factor * x[i];
  }
};

struct Divide {
  const float* dividend;
  const float* divisor;
  float* y;
  __device__ void operator()(int64_t i) const {
    const float under = divisor[i];
    y[i] = under == 0.0F ? 0.0F : (dividend != nullptr ? dividend[i] : 1.0F) / under;
  }
};

struct Unchanged {
  static __device__ float value(float x) { return x; }
  static __device__ float slope(float) { return 1; }
};

// An activation at x, f(x), and its slope there, f'(x).
struct Gelu {
  // By erfc, which keeps its accuracy far below 0.
  static __device__ float distribution(float x) { return 0.5F * erfcf(-0.707106781186547524F * x); }
  static __device__ float value(float x) { return x * distribution(x); }
  static __device__ float slope(float x) {
    const float density = 0.398942280401432678F * expf(-0.5F * x * x);
    return fmaf(x, density, distribution(x));
  }
};

__device__ __forceinline__ float sigmoid(float u) {
  // Of the negative magnitude, whose exponential cannot overflow.
  const float power = expf(-fabsf(u));
  const float large = 1.0F / (1.0F + power);
  return u < 0 ? power * large : large;
}

// f = x sigmoid(u(x)), so that f' = s + x s (1 - s) u'.
struct QuickGelu {
  static __device__ float value(float x) { return x * sigmoid(1.702F * x); }
  static __device__ float slope(float x) {
    const float s = sigmoid(1.702F * x);
    return fmaf(x * s * (1.0F - s), 1.702F, s);
  }
};

// (1 + tanh(v)) / 2 = sigmoid(2 v): u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  static constexpr float kLinear = 1.5957691216F;
  static constexpr float kCubic = 0.044715F * kLinear;
  static __device__ float gate(float x) { return sigmoid(x * fmaf(kCubic, x * x, kLinear)); }
  static __device__ float value(float x) { return x * gate(x); }
  static __device__ float slope(float x) {
    const float s = gate(x);
    return fmaf(x * s * (1.0F - s), fmaf(3 * kCubic, x * x, kLinear), s);
  }
};

template <class Function, class T>
struct Activate {
  const T* x;
  T* y;
  __device__ void operator()(int64_t i) const { y[i] = narrow<T>(Function::value(widen(x[i]))); }
};

template <class Function, class T>
struct AddBiasAndActivate {
  const T* x;
  const float* bias;
  int64_t columns;
  BFloat16* y;
  __device__ void operator()(int64_t row, int column) const {
    const int64_t i = row * columns + column;
    const float value = bias != nullptr ? widen(x[i]) + bias[column] : widen(x[i]);
    y[i] = narrow<BFloat16>(Function::value(value));
  }
};

template <class Function, class T>
struct ActivateGradient {
  const T* x;
  const float* dy;
  float* dx;
  __device__ void operator()(int64_t i) const { dx[i] = Function::slope(widen(x[i])) * dy[i]; }
};

// Calls body(function, element type) for what the tensor holds.
template <class Body>
void with_activation(Activation activation, DType dtype, const Body& body) {
  const auto with_type = [&](auto function) {
    if (dtype == DType::kBF16) {
      body(function, BFloat16{});
    } else {
      body(function, 0.0F);
    }
  };
  switch (activation) {
    case Activation::kNone:
      return with_type(Unchanged{});
    case Activation::kGelu:
      return with_type(Gelu{});
    case Activation::kQuickGelu:
      return with_type(QuickGelu{});
    case Activation::kGeluTanh:
      return with_type(GeluTanh{});
  }
}

}  // namespace

void convert(Stream& stream, const Tensor& from, Tensor& to) {
  if (from.dtype() == to.dtype()) {
    if (from.count() > 0) stream.device.copy(to.address(), from.address(), from.bytes(), stream);
  } else if (to.dtype() == DType::kBF16) {
    for_each("convert", stream, from.count(),
             Convert<float, BFloat16>{elements<float>(from), elements<BFloat16>(to)});
  } else {
    for_each("convert", stream, from.count(),
             Convert<BFloat16, float>{elements<BFloat16>(from), elements<float>(to)});
  }
}

void add(Stream& stream, const Tensor& x, Tensor& y) {
  for_each("add", stream, x.count(), Add{elements<float>(x), elements<float>(y)});
}

void scale(Stream& stream, const Tensor& factor, Tensor& y) {
  for_each("scale", stream, y.count(), Scale{elements<float>(factor), elements<float>(y)});
}

void scale_by(Stream& stream, float factor, const Tensor& x, bool accumulate, Tensor& y) {
  for_each("scale_by", stream, x.count(),
           ScaleBy{factor, accumulate, elements<float>(x), elements<float>(y)});
}

void divide(Stream& stream, const Tensor& dividend, const Tensor& divisor, Tensor& y) {
  for_each("divide", stream, y.count(),
           Divide{elements<float>(dividend), elements<float>(divisor), elements<float>(y)});
}

void activate(Stream& stream, const Tensor& x, Activation activation, Tensor& y) {
  with_activation(activation, x.dtype(), [&](auto function, auto type) {
    using T = decltype(type);
    for_each("activate", stream, x.count(),
             Activate<decltype(function), T>{elements<T>(x), elements<T>(y)});
  });
}

void add_bias_and_activate(Stream& stream, const Tensor& x, const Tensor& bias,
                           Activation activation, Tensor& y) {
  const auto run = [&](auto function, auto type) {
    using T = decltype(type);
    for_each_in_rows("add_bias_and_activate", stream, x.dim(0), x.dim(1),
                     AddBiasAndActivate<decltype(function), T>{
                         elements<T>(x), elements<float>(bias), x.dim(1), elements<BFloat16>(y)});
  };
  with_activation(activation, x.dtype(), run);
}

void activate_gradient(Stream& stream, const Tensor& x, Activation activation, const Tensor& dy,
                       Tensor& dx) {
  with_activation(activation, x.dtype(), [&](auto function, auto type) {
    using T = decltype(type);
    for_each("activate_gradient", stream, x.count(),
             ActivateGradient<decltype(function), T>{elements<T>(x), elements<float>(dy),
                                                     elements<float>(dx)});
  });
}

}  // namespace ata::cuda
