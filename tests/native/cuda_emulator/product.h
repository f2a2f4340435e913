#ifndef ATA_CUDA_EMULATOR_PRODUCT_H_
#define ATA_CUDA_EMULATOR_PRODUCT_H_

#include <cstdint>
#include <vector>

namespace emu {

/// A column-major matrix of f32 or bf16 in memory that the caller can read; `transposed` where its
/// transpose is meant.
struct Operand {
  const void* data;
  bool bf16;
  bool transposed;
  int64_t leading;
};

/// The product of op(a) `[m, k]` and op(b) `[k, n]`, column-major without gaps, summed in f32.
std::vector<float> multiply(const Operand& a, const Operand& b, int64_t m, int64_t n, int64_t k);

float widen_bf16(uint16_t bits);
/// Nearest even.
uint16_t narrow_bf16(float value);

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_PRODUCT_H_
