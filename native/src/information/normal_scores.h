#ifndef ATA_INFORMATION_NORMAL_SCORES_H_
#define ATA_INFORMATION_NORMAL_SCORES_H_

#include "information/principal_components.h"

namespace ata {

/// Replaces every value by the normal quantile of its rank in its column; equal values share the
/// mean of theirs. Strictly increasing maps of columns leave mutual information as it is, and this
/// one leaves columns that are Gaussian, so that no estimate depends on the columns' scales or
/// tails.
SampleMatrix normal_scores(const SampleMatrix& samples);

}  // namespace ata

#endif  // ATA_INFORMATION_NORMAL_SCORES_H_
