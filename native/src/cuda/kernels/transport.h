#ifndef ATA_CUDA_KERNELS_TRANSPORT_H_
#define ATA_CUDA_KERNELS_TRANSPORT_H_

#include <cstdint>

#include "cuda/launch.h"

namespace ata::cuda {

/// As entropic_transport() in alignment/transport.h, of `count` problems f32 `[patches, patches]`,
/// rows `stride` apart; `plans` is laid out alike.
void entropic_transport(const Stream& stream, const float* similarities, int64_t count,
                        int64_t patches, int64_t stride, float temperature, int iterations,
                        float* plans);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_TRANSPORT_H_
