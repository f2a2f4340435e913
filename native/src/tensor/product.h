#ifndef ATA_TENSOR_PRODUCT_H_
#define ATA_TENSOR_PRODUCT_H_

#include <cstdint>

namespace ata {

// Products of small float32 matrices by one thread: out [rows, columns] = a [rows, depth] times a
// right factor [depth, columns] that was packed before into panels of a few columns. An element
// does not depend on which rows it is computed with. (A library's product may split the work by the
// number of threads, and alignment promises not to depend on that.)

/// Floats that the packed right factor takes. Its memory is aligned to 64 bytes.
int64_t panel_elements(int64_t columns, int64_t depth);

/// Packs `matrix` [depth, columns].
void pack(const float* matrix, int64_t columns, int64_t depth, float* panels);

/// Packs the transpose of `matrix` [columns, depth].
void pack_transposed(const float* matrix, int64_t columns, int64_t depth, float* panels);

void multiply_panels(const float* a, int64_t rows, int64_t depth, const float* panels,
                     int64_t columns, float* out);

}  // namespace ata

#endif  // ATA_TENSOR_PRODUCT_H_
