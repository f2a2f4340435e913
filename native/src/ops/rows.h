#ifndef ATA_OPS_ROWS_H_
#define ATA_OPS_ROWS_H_

#include "ops/context.h"

namespace ata {

/// Rows [begin, end) of x `[rows, D]`. Shares memory with x in inference.
Variable slice_rows(const Context& context, const Variable& x, int64_t begin, int64_t end);

/// Joins two row blocks `[r0, D]` and `[r1, D]` of one type into `[r0 + r1, D]`.
Variable concat_rows(const Context& context, const Variable& first, const Variable& second);

/// Means of consecutive runs of `count` rows: x f32 `[groups * count, D]` -> `[groups, D]`.
Variable mean_rows(const Context& context, const Variable& x, int64_t count);

}  // namespace ata

#endif  // ATA_OPS_ROWS_H_
