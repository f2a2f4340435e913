#ifndef ATA_CUDA_KERNELS_ATTEND_ALONG_H_
#define ATA_CUDA_KERNELS_ATTEND_ALONG_H_

#include "backend/device.h"
#include "cuda/kernels/attention_sequences.cuh"

namespace ata::cuda {

/// Attention along trajectories of any length, as attend() of attention_forward.cuh: y, of qkv's
/// type, and its rows apart where trajectories meet. log_sum `[sequences, heads, frames]` may be
/// null.
void attend_along(Stream& stream, const Tensor& qkv, const TrajectorySequences& sequences,
                  int heads, Tensor& y, float* apart, float* log_sum);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ATTEND_ALONG_H_
