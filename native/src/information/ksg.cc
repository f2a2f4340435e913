#include "information/ksg.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/simd_targets.h"
#include "base/threads.h"
#include "information/gaussian.h"
#include "information/normal_scores.h"
#include "tensor/aligned_buffer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "information/ksg.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef ATA_ALIGN_NEAREST_NEIGHBOURS_COLUMNS_
#define ATA_ALIGN_NEAREST_NEIGHBOURS_COLUMNS_
namespace ata {
namespace {

// Columns of float32, padded to a whole number of vectors with values that are nobody's neighbour.
constexpr int64_t kPadding = 64;
constexpr float kFar = 1e30F;
struct Columns {
  int64_t padded;
  int64_t dimension;
  const float* values;
};

// Rows nearer to a row than its k-th neighbour in (x, y) is, in x and in y; and in either as far.
struct NearCounts {
  int64_t x;
  int64_t y;
  int64_t at_radius;
  bool is_equal;  // that neighbour is equal to the row
};

}  // namespace
}  // namespace ata
#endif

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Greatest distance along any dimension between row i and the rows from j on.
template <class Tag>
HWY_INLINE hn::Vec<Tag> distance(Tag tag, const Columns& columns, int64_t i, int64_t j) {
  auto greatest = hn::Zero(tag);
  const float* column = columns.values;
  for (int64_t k = 0; k < columns.dimension; ++k, column += columns.padded) {
    const auto difference = hn::Sub(hn::Load(tag, column + j), hn::Set(tag, column[i]));
    greatest = hn::Max(greatest, hn::Abs(difference));
  }
  return greatest;
}

// What the estimate takes of row i. `dx` and `dy` are scratch of x.padded floats, `nearest` of
// neighbours + 1.
NearCounts count_near(const Columns& x, const Columns& y, int64_t i, int neighbours, float* dx,
                      float* dy, float* nearest) {
  const hn::ScalableTag<float> tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  // Row i finds itself at distance 0, hence one more.
  std::fill_n(nearest, neighbours + 1, kFar);
  float& radius = nearest[neighbours];
  for (int64_t j = 0; j < x.padded; j += lanes) {
    const auto in_x = distance(tag, x, i, j);
    const auto in_y = distance(tag, y, i, j);
    hn::Store(in_x, tag, dx + j);
    hn::Store(in_y, tag, dy + j);
    if (hn::AllFalse(tag, hn::Lt(hn::Max(in_x, in_y), hn::Set(tag, radius)))) continue;
    for (int64_t l = j; l < j + lanes; ++l) {
      const float both = std::max(dx[l], dy[l]);
      if (!(both < radius)) continue;
      float* at = std::upper_bound(nearest, nearest + neighbours, both);
      std::copy_backward(at, nearest + neighbours, nearest + neighbours + 1);
      *at = both;
    }
  }
  const auto limit = hn::Set(tag, radius);
  const int64_t itself = radius > 0 ? 1 : 0;
  NearCounts counts = {-itself, -itself, 0, radius == 0};
  for (int64_t j = 0; j < x.padded; j += lanes) {
    const auto in_x = hn::Load(tag, dx + j);
    const auto in_y = hn::Load(tag, dy + j);
    counts.x += static_cast<int64_t>(hn::CountTrue(tag, hn::Lt(in_x, limit)));
    counts.y += static_cast<int64_t>(hn::CountTrue(tag, hn::Lt(in_y, limit)));
    counts.at_radius +=
        static_cast<int64_t>(hn::CountTrue(tag, hn::Or(hn::Eq(in_x, limit), hn::Eq(in_y, limit))));
  }
  return counts;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(count_near);

namespace {

// Gaussians that the correction averages over: its noise is 1/4 of the estimate's own in variance.
constexpr uint64_t kSurrogates = 4;

// Ties of a greater share of the rows are refused, where they are of more than `neighbours` rows:
// equal ones are, and distances of continuous values, rounded to float32, coincide now and then.
// Each may add log(count) to its share of the estimate; these 0.01 nats, less than it scatters.
constexpr double kTiedShare = 0.001;

// Rows at equal distances, times the number of rows, that normal scores have by themselves.
constexpr int64_t kCoincidences = 200;

class ColumnStorage {
 public:
  explicit ColumnStorage(const SampleMatrix& samples)
      : columns_{(samples.count + kPadding - 1) / kPadding * kPadding, samples.dimension, nullptr} {
    const auto size = static_cast<size_t>(columns_.padded * columns_.dimension);
    buffer_.reserve(size);
    std::fill_n(buffer_.data(), size, kFar);
    for (int64_t i = 0; i < samples.count; ++i) {
      for (int64_t k = 0; k < samples.dimension; ++k) {
        buffer_[static_cast<size_t>(k * columns_.padded + i)] =
            static_cast<float>(samples.row(i)[k]);
      }
    }
    columns_.values = buffer_.data();
  }

  const Columns& columns() const { return columns_; }

 private:
  AlignedBuffer<float> buffer_;
  Columns columns_;
};

// Columns [first, first + count) of rows.
SampleMatrix columns_of(const SampleMatrix& rows, int64_t first, int64_t count) {
  SampleMatrix out{rows.count, count, {}};
  for (int64_t i = 0; i < rows.count; ++i) {
    out.values.insert(out.values.end(), rows.row(i) + first, rows.row(i) + first + count);
  }
  return out;
}

// Gaussian samples whose mean is 0 and whose covariance is exactly that of the factor. Given their
// mean and covariance, samples of a Gaussian are distributed like these.
SampleMatrix gaussian_samples(const Cholesky& factor, int64_t count, int64_t dimension,
                              uint64_t stream) {
  SampleMatrix out{count, dimension, std::vector<double>(static_cast<size_t>(count * dimension))};
  Random random(0, stream);
  for (double& x : out.values) x = random.normal();
  const Moments drawn = moments(out);
  const Cholesky own = Cholesky::require_of(drawn.covariance);
  for (int64_t i = 0; i < count; ++i) {
    double* row = out.row(i);
    for (int64_t k = 0; k < dimension; ++k) row[k] -= drawn.mean[static_cast<size_t>(k)];
    own.whiten(row);
    factor.color(row);
  }
  return out;
}

}  // namespace

KsgInformation ksg_information(const SampleMatrix& x, const SampleMatrix& y, int neighbours) {
  const int64_t count = x.count;
  const ColumnStorage x_storage(x);
  const ColumnStorage y_storage(y);
  const auto padded = static_cast<size_t>(x_storage.columns().padded);
  std::vector<double> terms(static_cast<size_t>(count));
  std::vector<uint8_t> tied(static_cast<size_t>(count));
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    AlignedBuffer<float> scratch;
    scratch.reserve(2 * padded + static_cast<size_t>(neighbours) + 1);
    float* dx = scratch.data();
    for (int64_t i = begin; i < end; ++i) {
      const NearCounts near =
          HWY_DYNAMIC_DISPATCH(count_near)(x_storage.columns(), y_storage.columns(), i, neighbours,
                                           dx, dx + padded, dx + 2 * padded);
      terms[static_cast<size_t>(i)] =
          digamma(static_cast<double>(near.x + 1)) + digamma(static_cast<double>(near.y + 1));
      // Of a continuous distribution one row is as far as the k-th neighbour, in x or in y: that
      // neighbour. Normal scores are symmetric, so that there may be its mirror image, too, and
      // those of few rows are few numbers, whose differences coincide.
      const bool is_tied = near.is_equal || near.at_radius > 2 + kCoincidences / count;
      tied[static_cast<size_t>(i)] = is_tied ? 1 : 0;
    }
  });
  double sum = 0;
  for (const double term : terms) sum += term;
  return {
      digamma(neighbours) + digamma(static_cast<double>(count)) - sum / static_cast<double>(count),
      std::accumulate(tied.begin(), tied.end(), int64_t{0})};
}

double corrected_ksg_information(const SampleMatrix& x, const SampleMatrix& y, int neighbours) {
  const SampleMatrix x_scores = normal_scores(x);
  const SampleMatrix y_scores = normal_scores(y);
  const auto [estimate, tied] = ksg_information(x_scores, y_scores, neighbours);
  const double bearable = std::max<double>(neighbours, kTiedShare * static_cast<double>(x.count));
  require(
      static_cast<double>(tied) <= bearable, "mutual information: ", tied, " of ", x.count,
      " samples are tied (as many others are equal to them, or at equal distances), and nearest "
      "neighbours estimate it for continuous values alone; use another estimator, or leave out "
      "what repeats (still pictures, borders of one colour) or is rounded");
  const SampleMatrix covariance = moments(join(x_scores, y_scores)).covariance;
  const std::optional<Cholesky> factor = Cholesky::of(covariance);
  if (!factor) return estimate;

  const double truth = *gaussian_information(covariance, x.dimension, x.count);
  double correction = 0;
  for (uint64_t stream = 0; stream < kSurrogates; ++stream) {
    const SampleMatrix surrogate =
        normal_scores(gaussian_samples(*factor, x.count, covariance.count, stream));
    correction +=
        truth - ksg_information(columns_of(surrogate, 0, x.dimension),
                                columns_of(surrogate, x.dimension, y.dimension), neighbours)
                    .nats;
  }
  return estimate + correction / static_cast<double>(kSurrogates);
}

}  // namespace ata
#endif  // HWY_ONCE
