#include "compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "devices.h"

namespace ata {

Doubles doubles(const Tensor& source) {
  const Tensor tensor = on_host(source);
  Doubles result(static_cast<size_t>(tensor.count()));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = tensor.dtype() == DType::kBF16
                    ? static_cast<double>(to_float(tensor.data<BFloat16>()[i]))
                    : static_cast<double>(tensor.data<float>()[i]);
  }
  return result;
}

double relative_error(const Doubles& a, const Doubles& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0.0, norm = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return std::numeric_limits<double>::infinity();
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm > 0.0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

double relative_error(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  return relative_error(doubles(a), doubles(b));
}

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const Doubles x = doubles(a), y = doubles(b);
  double largest = 0;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!std::isfinite(x[i])) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(x[i] - y[i]));
  }
  return largest;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(on_host(a).raw(), on_host(b).raw(), a.bytes()) == 0;
}

}  // namespace ata
