#include "tensor/transpose.h"

#include <algorithm>

namespace ata {

void transpose(const float* matrix, int64_t rows, int64_t columns, float* out) {
  constexpr int64_t kBlock = 16;
  for (int64_t i0 = 0; i0 < rows; i0 += kBlock) {
    for (int64_t j0 = 0; j0 < columns; j0 += kBlock) {
      for (int64_t i = i0; i < std::min(i0 + kBlock, rows); ++i) {
        for (int64_t j = j0; j < std::min(j0 + kBlock, columns); ++j) {
          out[j * rows + i] = matrix[i * columns + j];
        }
      }
    }
  }
}

}  // namespace ata
