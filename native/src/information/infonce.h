#ifndef ATA_INFORMATION_INFONCE_H_
#define ATA_INFORMATION_INFONCE_H_

#include "information/principal_components.h"

namespace ata {

/// InfoNCE lower bound on I(X; Y) in nats (van den Oord, Li, Vinyals 2018); see
/// InformationEstimator::kInfonce. Row i of `x` belongs to row i of `y`; each half of the rows must
/// have more of them than x and y have dimensions. Time quadratic in the rows.
double infonce_information(const SampleMatrix& x, const SampleMatrix& y);

/// `count` of the rows, evenly spaced; all where there are no more.
SampleMatrix evenly_spaced(const SampleMatrix& samples, int64_t count);

}  // namespace ata

#endif  // ATA_INFORMATION_INFONCE_H_
