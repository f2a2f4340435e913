#ifndef ATA_INFORMATION_MUTUAL_INFORMATION_H_
#define ATA_INFORMATION_MUTUAL_INFORMATION_H_

#include <cstdint>

#include "information/principal_components.h"
#include "tensor/tensor.h"

namespace ata {

enum class InformationEstimator : int32_t {
  /// Closed form for jointly Gaussian samples, from the covariances. For other samples it is what
  /// their linear dependence alone amounts to.
  kGaussian = 0,
  /// k nearest neighbours (Kraskov, Stoegbauer, Grassberger, "Estimating mutual information",
  /// Phys. Rev. E 69, 2004, algorithm 1) on the normal scores of each component, with a control
  /// variate. Alone it falls short when the information is large against log(count) or the
  /// dimension is high (Gao, Ver Steeg, Galstyan, AISTATS 2015). So it is measured, too, on
  /// Gaussian samples of the same count and covariance, and what it misses of their closed form is
  /// added. Unbiased on Gaussians and increasing maps of them; elsewhere what the samples have in
  /// common with a Gaussian is corrected, and dependence without correlation is not. Where no
  /// closed form exists (the covariance is singular: constant columns, copies, fewer samples than
  /// dimensions) nothing is added. Not defined for discrete or rounded values: more ties than one
  /// in a thousand samples (and more than neighbours) are refused.
  kKsg = 1,
  /// InfoNCE lower bound (van den Oord, Li, Vinyals 2018), at most log(count / 2). The critic is
  /// the log density ratio of a Gaussian fitted to the normal scores of the other half of the
  /// samples, with a weight that tempers it for heavy joint tails. That the fit is not exact costs
  /// about dim(X) dim(Y) / count nats.
  kInfonce = 2,
};

struct InformationOptions {
  InformationEstimator estimator = InformationEstimator::kGaussian;
  /// Features are projected to this many principal components first; 0 for all.
  int components = 8;
  /// k of kKsg.
  int neighbours = 3;
  /// The estimators other than the Gaussian take time quadratic in the number of samples; with more
  /// than this many, evenly spaced ones are used.
  int64_t max_samples = 4096;
};

/// Estimates I(X; Y) in nats from paired samples: row i of `x` belongs to row i of `y`. Estimates
/// scatter around the truth and may be slightly negative near 0. Constant columns carry no
/// information and are not allowed: drop them first, as principal_components() does.
/// Throws ATA_INVALID_ARGUMENT when there are too few samples for the dimensions, when nearest
/// neighbours find ties, or on options out of range. The result does not depend on the number of
/// threads.
double mutual_information(const SampleMatrix& x, const SampleMatrix& y,
                          const InformationOptions& options);

struct AlignmentInformation {
  /// Nats between patches at the same position of neighbouring frames.
  double before = 0;
  /// Nats between patches matched by the alignment.
  double after = 0;
};

/// I(X_t; X_{t+1}) over all pairs of neighbouring frames, before and after alignment. Both use the
/// same principal components, those of all patches.
/// @param features f32 `[B, T, N, D]`, finite, T at least 2.
/// @param trajectories i32 `[B, T, N]`, from align() on these features.
AlignmentInformation alignment_information(const Tensor& features, const Tensor& trajectories,
                                           const InformationOptions& options);

}  // namespace ata

#endif  // ATA_INFORMATION_MUTUAL_INFORMATION_H_
