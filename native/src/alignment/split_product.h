#ifndef ATA_ALIGNMENT_SPLIT_PRODUCT_H_
#define ATA_ALIGNMENT_SPLIT_PRODUCT_H_

#include <cstdint>

#include "tensor/aligned_buffer.h"

namespace ata {

// Products on the processor's matrix unit (AMX), several times as fast as in float32: each value is
// split into the sum of two bf16, high + low, and high * high + high * low + low * high is summed
// in float32 ("bf16x3"). The error of a product is at most 2^-16 of it, so that of a cosine at most
// 1.6e-5; over 768 channels it is about 4e-7, little more than in float32.

/// True when this processor and operating system have AMX for bf16, and panels (product.h) are of
/// its width, which they are with AVX-512.
bool has_split_product();

/// A matrix `[rows, depth]` as the left factor of a split product, and as the right one,
/// transposed.
class SplitMatrix {
 public:
  /// Makes room; all rows are then to be set, in order. Keeps its memory between calls.
  void resize(int64_t rows, int64_t depth);
  /// Row i: `depth` floats, multiplied by `scale`.
  void set_row(int64_t i, const float* values, float scale);

 private:
  friend void multiply_split(const SplitMatrix& a, int64_t begin, int64_t end, const SplitMatrix& b,
                             float* out);

  int64_t rows_ = 0;
  int64_t depth_ = 0;
  int64_t padded_depth_ = 0;
  // Tiles of 16 rows and 32 columns of bf16, one after the other along the depth.
  AlignedBuffer<uint16_t> high_;
  AlignedBuffer<uint16_t> low_;
  // Panels as in product.h, of pairs of bf16 instead of floats.
  AlignedBuffer<float> high_panels_;
  AlignedBuffer<float> low_panels_;
  // The rows that will be packed to the next panel: high parts, then low parts.
  AlignedBuffer<float> block_;
};

/// Rows [begin, end) of a times the transpose of b: out is `[end - begin, rows of b]`, with equal
/// depths. Needs has_split_product(). An element does not depend on which rows it is computed with.
void multiply_split(const SplitMatrix& a, int64_t begin, int64_t end, const SplitMatrix& b,
                    float* out);

}  // namespace ata

#endif  // ATA_ALIGNMENT_SPLIT_PRODUCT_H_
