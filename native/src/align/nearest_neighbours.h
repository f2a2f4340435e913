#ifndef ATA_ALIGN_NEAREST_NEIGHBOURS_H_
#define ATA_ALIGN_NEAREST_NEIGHBOURS_H_

#include "align/principal_components.h"

namespace ata {

/// I(X; Y) in nats by `neighbours` nearest neighbours (Kraskov, Stoegbauer, Grassberger 2004,
/// algorithm 1), with nothing corrected. Row i of `x` belongs to row i of `y`; there are more rows
/// than neighbours. Time quadratic in the rows.
double neighbour_information(const SampleMatrix& x, const SampleMatrix& y, int neighbours);

/// The same on normal scores, with a Gaussian of the same covariance as control variate; see
/// InformationEstimator::kNearestNeighbours.
double corrected_neighbour_information(const SampleMatrix& x, const SampleMatrix& y,
                                       int neighbours);

}  // namespace ata

#endif  // ATA_ALIGN_NEAREST_NEIGHBOURS_H_
