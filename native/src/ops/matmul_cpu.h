#ifndef ATA_OPS_MATMUL_CPU_H_
#define ATA_OPS_MATMUL_CPU_H_

#include <memory>

#include "backend/kernels.h"

/// Matrix products on the CPU, by oneDNN.
namespace ata::cpu {

/// op(data): a row-major matrix, read as its transpose when `transposed`.
struct MatrixView {
  Tensor data;
  bool transposed = false;
};

/// A matrix B in the blocked layout that oneDNN prefers as the right factor of a product.
class PackedFactor;

/// Packs B = op(b), rounding f32 to `precision`.
std::shared_ptr<const PackedFactor> pack_factor(const MatrixView& b, DType precision,
                                                const std::shared_ptr<Allocator>& allocator);

struct MatmulOptions {
  /// f32 `[n]`, or empty.
  Tensor bias;
  Activation activation = Activation::kNone;
  /// c += instead of c =; needs an f32 c, and no activation.
  bool accumulate = false;
};

/// c `[m, n]` = op(a) B + bias, then the activation. a and B are both f32 or both bf16; sums are
/// f32.
void matmul(const MatrixView& a, const MatrixView& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch);
void matmul(const MatrixView& a, const PackedFactor& b, const MatmulOptions& options, Tensor& c,
            const std::shared_ptr<Allocator>& scratch);

/// False when this processor (or oneDNN's build for it) has no bf16 products, or slower ones than
/// f32: callers then round to bf16 and multiply in f32, which gives the same sums.
bool has_bf16_matmul();

/// Forgets the products that were compiled; those that run end normally. Thread-safe.
void release_product_cache();

}  // namespace ata::cpu

#endif  // ATA_OPS_MATMUL_CPU_H_
