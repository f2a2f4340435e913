#ifndef ATA_ALIGNMENT_TRANSPORT_H_
#define ATA_ALIGNMENT_TRANSPORT_H_

#include <cstdint>

#include "tensor/aligned_buffer.h"

namespace ata {

/// Memory of entropic_transport(). One thread at a time.
struct TransportWorkspace {
  AlignedBuffer<float> row_potential;
  AlignedBuffer<float> column_potential;
  AlignedBuffer<float> column_maximum;
  AlignedBuffer<float> column_sum;
};

/// Entropic optimal transport between two frames of `patches` patches of equal mass (Cuturi,
/// "Sinkhorn distances: lightspeed computation of optimal transport", NIPS 2013), by Sinkhorn's
/// iteration on the logarithms of the scalings, which no temperature can overflow.
/// @param similarity `[patches, patches]`; the cost of a pair is minus its similarity.
/// @param temperature Weight of the entropy, above 0.
/// @param iterations How often rows, then columns, are scaled to sum to 1.
/// @param plan Receives `[patches, patches]`: columns sum to 1, and rows nearly so once the
///   iteration has converged. May be `similarity` itself.
void entropic_transport(const float* similarity, int64_t patches, float temperature, int iterations,
                        TransportWorkspace& workspace, float* plan);

/// Row-wise softmax of similarity / temperature, `[rows, columns]`: rows sum to 1. `weights` may be
/// `similarity` itself.
void softmax_rows(const float* similarity, int64_t rows, int64_t columns, float temperature,
                  float* weights);

}  // namespace ata

#endif  // ATA_ALIGNMENT_TRANSPORT_H_
