#ifndef ATA_TENSOR_TRANSPOSE_H_
#define ATA_TENSOR_TRANSPOSE_H_

#include <cstdint>

namespace ata {

/// Writes a row-major matrix `[rows][columns]` as `[columns][rows]` to `out`, which is elsewhere.
void transpose(const float* matrix, int64_t rows, int64_t columns, float* out);

}  // namespace ata

#endif  // ATA_TENSOR_TRANSPOSE_H_
