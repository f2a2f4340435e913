#include "information/mutual_information.h"

#include <algorithm>

#include "base/error.h"
#include "information/gaussian.h"
#include "information/infonce.h"
#include "information/ksg.h"
#include "tensor/layout.h"
#include "tensor/value_survey.h"

namespace ata {
namespace {

void check(const InformationOptions& options) {
  const int estimator = static_cast<int>(options.estimator);
  require(estimator >= 0 && estimator <= 2, "mutual information: estimator ", estimator,
          " does not exist");
  require(options.components >= 0, "mutual information: components is ", options.components,
          "; it must be at least 1, or 0 for all");
  require(options.neighbours >= 1, "mutual information: neighbours is ", options.neighbours,
          "; it must be at least 1");
  require(options.max_samples >= 2, "mutual information: max_samples is ", options.max_samples,
          "; it must be at least 2");
}

}  // namespace

double mutual_information(const SampleMatrix& x, const SampleMatrix& y,
                          const InformationOptions& options) {
  check(options);
  require(x.count == y.count, "mutual information: ", x.count, " samples of X but ", y.count,
          " of Y");
  require(x.dimension >= 1 && y.dimension >= 1,
          "mutual information: the samples have no dimensions; are the features constant?");
  const bool is_gaussian = options.estimator == InformationEstimator::kGaussian;
  const int64_t count = is_gaussian ? x.count : std::min(x.count, options.max_samples);
  const int64_t needed = options.estimator == InformationEstimator::kKsg
                             ? options.neighbours + 1
                             : (is_gaussian ? 1 : 2) * (x.dimension + y.dimension + 2);
  require(count >= needed, "mutual information: ", count,
          " samples are too few; the estimator needs ", needed);
  if (is_gaussian) {
    const SampleMatrix covariance = moments(join(x, y)).covariance;
    Cholesky::require_of(covariance);
    return *gaussian_information(covariance, x.dimension, count);
  }
  const SampleMatrix some_x = evenly_spaced(x, count);
  const SampleMatrix some_y = evenly_spaced(y, count);
  if (options.estimator == InformationEstimator::kInfonce)
    return infonce_information(some_x, some_y);
  return corrected_ksg_information(some_x, some_y, options.neighbours);
}

AlignmentInformation alignment_information(const Tensor& features, const Tensor& trajectories,
                                           const InformationOptions& options) {
  check(options);
  require(features.defined() && features.dtype() == DType::kF32 && features.rank() == 4,
          "mutual information needs f32 features [B, T, N, D]");
  const ClipLayout layout{features.dim(0), features.dim(1), features.dim(2)};
  const int64_t channels = features.dim(3);
  require(trajectories.defined() && trajectories.dtype() == DType::kI32 &&
              trajectories.shape() == Shape({layout.clips, layout.frames, layout.patches}),
          "mutual information needs i32 trajectories [B, T, N] of the features");
  require(layout.pairs() > 0 && layout.patches > 0 && channels > 0,
          "mutual information needs clips of at least two frames; features are ",
          features.shape().to_string());
  require(survey_values(features.data<float>(), features.count()).finite(),
          "mutual information: the features contain NaN or infinity");
  const int32_t* index = trajectories.data<int32_t>();
  for (int64_t k = 0; k < trajectories.count(); ++k) {
    require(index[k] >= 0 && index[k] < layout.patches, "mutual information: trajectory entry ",
            index[k], " is not a patch; there are ", layout.patches);
  }

  const int64_t rows = layout.clips * layout.frames * layout.patches;
  const SampleMatrix projected =
      principal_components(features.data<float>(), rows, channels,
                           options.components > 0 ? options.components : channels);
  const auto gather = [&](bool aligned, int64_t step) {
    SampleMatrix out{layout.pairs() * layout.patches, projected.dimension, {}};
    for (int64_t pair = 0; pair < layout.pairs(); ++pair) {
      const int64_t first = (layout.first_frame(pair) + step) * layout.patches;
      for (int64_t n = 0; n < layout.patches; ++n) {
        const double* row = projected.row(first + (aligned ? index[first + n] : n));
        out.values.insert(out.values.end(), row, row + projected.dimension);
      }
    }
    return out;
  };
  AlignmentInformation result;
  result.before = mutual_information(gather(false, 0), gather(false, 1), options);
  result.after = mutual_information(gather(true, 0), gather(true, 1), options);
  return result;
}

}  // namespace ata
