#ifndef ATA_MODEL_PRECISION_H_
#define ATA_MODEL_PRECISION_H_

#include "alignment/similarity.h"
#include "ata/ata.h"
#include "tensor/tensor.h"

namespace ata {

/// Type of what products read and write.
inline DType compute_type(ata_precision precision) {
  return precision == ATA_PRECISION_BF16 ? DType::kBF16 : DType::kF32;
}

/// How similarities are multiplied: features computed in bf16 are far less exact than the fastest.
inline SimilarityProduct similarity_product(ata_precision precision) {
  return precision == ATA_PRECISION_BF16 ? SimilarityProduct::kFastest : SimilarityProduct::kF32;
}

}  // namespace ata

#endif  // ATA_MODEL_PRECISION_H_
