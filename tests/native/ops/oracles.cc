#include "oracles.h"

#include <algorithm>
#include <cmath>

namespace ata::testing {

Doubles attend_rows(const Doubles& qkv, const std::vector<int64_t>& rows, int64_t dim, int heads) {
  const int64_t head_dim = dim / heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  const auto element = [&](int64_t row, int part, int64_t column) {
    return qkv[static_cast<size_t>(row * 3 * dim + part * dim + column)];
  };
  Doubles result(rows.size() * static_cast<size_t>(dim));
  Doubles scores(rows.size());
  for (int64_t column = 0; column < dim; column += head_dim) {
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t j = 0; j < rows.size(); ++j) {
        scores[j] = 0.0;
        for (int64_t c = column; c < column + head_dim; ++c) {
          scores[j] += scale * element(rows[i], 0, c) * element(rows[j], 1, c);
        }
      }
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0.0;
      for (double& score : scores) sum += score = std::exp(score - largest);
      for (int64_t c = column; c < column + head_dim; ++c) {
        double value = 0.0;
        for (size_t j = 0; j < rows.size(); ++j) value += scores[j] / sum * element(rows[j], 2, c);
        result[i * static_cast<size_t>(dim) + static_cast<size_t>(c)] = value;
      }
    }
  }
  return result;
}

Doubles layer_norm_oracle(const Doubles& x, const Doubles& gamma, const Doubles& beta,
                          double epsilon) {
  const size_t n = gamma.size();
  Doubles y(x.size());
  for (size_t begin = 0; begin < y.size(); begin += n) {
    double mean = 0.0, variance = 0.0;
    for (size_t i = 0; i < n; ++i) mean += x[begin + i] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) {
      const double d = x[begin + i] - mean;
      variance += d * d / static_cast<double>(n);
    }
    for (size_t i = 0; i < n; ++i) {
      y[begin + i] = (x[begin + i] - mean) / std::sqrt(variance + epsilon) * gamma[i] + beta[i];
    }
  }
  return y;
}

Doubles attention_oracle(const Doubles& qkv, int64_t groups, int64_t frames, int64_t patches,
                         int64_t dim, int heads) {
  const int64_t patch_rows = groups * frames * patches;
  Doubles result(static_cast<size_t>((patch_rows + groups) * dim));
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t frame = 0; frame < frames; ++frame) {
      std::vector<int64_t> rows = {patch_rows + group};
      for (int64_t n = 0; n < patches; ++n) rows.push_back((group * frames + frame) * patches + n);
      const Doubles y = attend_rows(qkv, rows, dim, heads);
      for (size_t i = 0; i < rows.size(); ++i) {
        const double share = i == 0 ? 1.0 / static_cast<double>(frames) : 1.0;
        for (int64_t c = 0; c < dim; ++c) {
          result[static_cast<size_t>(rows[i] * dim + c)] +=
              share * y[i * static_cast<size_t>(dim) + static_cast<size_t>(c)];
        }
      }
    }
  }
  return result;
}

Doubles temporal_attention_oracle(const Doubles& qkv, int64_t batch, int64_t frames,
                                  int64_t patches, int64_t dim, int heads,
                                  const std::vector<int32_t>& trajectories) {
  Doubles result(static_cast<size_t>(batch * frames * patches * dim));
  std::vector<double> visits(static_cast<size_t>(batch * frames * patches));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t n = 0; n < patches; ++n) {
      std::vector<int64_t> rows;
      for (int64_t t = 0; t < frames; ++t) {
        const int64_t at = (b * frames + t) * patches;
        rows.push_back(at + trajectories[static_cast<size_t>(at + n)]);
      }
      const Doubles y = attend_rows(qkv, rows, dim, heads);
      for (size_t t = 0; t < rows.size(); ++t) {
        visits[static_cast<size_t>(rows[t])] += 1.0;
        for (int64_t c = 0; c < dim; ++c) {
          result[static_cast<size_t>(rows[t] * dim + c)] +=
              y[t * static_cast<size_t>(dim) + static_cast<size_t>(c)];
        }
      }
    }
  }
  for (size_t i = 0; i < result.size(); ++i) {
    const double count = visits[i / static_cast<size_t>(dim)];
    if (count > 0.0) result[i] /= count;
  }
  return result;
}

Doubles linear_oracle(const Doubles& x, const Doubles& w, const Doubles& b, int64_t in,
                      int64_t out) {
  const size_t k = static_cast<size_t>(in), n = static_cast<size_t>(out);
  Doubles y(x.size() / k * n);
  for (size_t r = 0; r < x.size() / k; ++r) {
    for (size_t o = 0; o < n; ++o) {
      double sum = b.empty() ? 0.0 : b[o];
      for (size_t i = 0; i < k; ++i) sum += x[r * k + i] * w[o * k + i];
      y[r * n + o] = sum;
    }
  }
  return y;
}

double activation_oracle(Activation activation, double x) {
  constexpr double pi = 3.14159265358979323846;
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
  }
  return 0;
}

}  // namespace ata::testing
