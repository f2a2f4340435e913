#ifndef ATA_INFORMATION_KSG_H_
#define ATA_INFORMATION_KSG_H_

#include "information/principal_components.h"

namespace ata {

struct KsgInformation {
  double nats = 0;
  /// Rows that have ties: as many others are equal to them as neighbours are asked for, or several
  /// are exactly as far as the last of these. The estimate is meant for continuous distributions,
  /// which have none, and is too great by up to log(rows) for the share of rows that do.
  int64_t tied = 0;
};

/// I(X; Y) by `neighbours` nearest neighbours (Kraskov, Stoegbauer, Grassberger 2004, algorithm 1),
/// with nothing corrected. Row i of `x` belongs to row i of `y`; there are more rows than
/// neighbours. Time quadratic in the rows.
KsgInformation ksg_information(const SampleMatrix& x, const SampleMatrix& y, int neighbours);

/// The same in nats on normal scores, with a Gaussian of the same covariance as control variate;
/// see InformationEstimator::kKsg. Throws ATA_INVALID_ARGUMENT when more rows
/// than `neighbours` and more than one in a thousand have ties.
double corrected_ksg_information(const SampleMatrix& x, const SampleMatrix& y, int neighbours);

}  // namespace ata

#endif  // ATA_INFORMATION_KSG_H_
