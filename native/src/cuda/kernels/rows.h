#ifndef ATA_CUDA_KERNELS_ROWS_H_
#define ATA_CUDA_KERNELS_ROWS_H_

#include <cstdint>

#include "backend/device.h"

namespace ata::cuda {

/// f32 y(group) (+)= factor * column sums of x(group) `[rows, columns]`; `accumulate`: `+=`. The
/// order of the sums depends on the shape alone.
void sum_columns(Stream& stream, const float* x, int64_t groups, int64_t rows, int64_t columns,
                 float factor, bool accumulate, float* y);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_ROWS_H_
