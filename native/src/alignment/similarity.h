#ifndef ATA_ALIGNMENT_SIMILARITY_H_
#define ATA_ALIGNMENT_SIMILARITY_H_

#include <cstdint>
#include <span>

#include "alignment/split_product.h"
#include "tensor/aligned_buffer.h"

namespace ata {

/// How similarities are multiplied out.
enum class SimilarityProduct {
  /// In float32.
  kF32,
  /// As in split_product.h where the processor has that, with other last bits; else in float32.
  kFastest,
};

/// The patches of one frame, scaled to unit length and laid out for similarity products. Patches of
/// length 0 stay 0: their cosine similarity to anything is defined as 0.
class NormalizedFrame {
 public:
  /// Reads `[patches, channels]`, rows `row_stride` floats apart. Keeps its memory between calls.
  /// Throws ATA_INVALID_ARGUMENT naming frame `index` when a feature is NaN or infinite.
  void assign(const float* features, int64_t patches, int64_t channels, int64_t row_stride,
              int64_t index, SimilarityProduct product = SimilarityProduct::kF32);

  int64_t patches() const { return patches_; }
  int64_t channels() const { return channels_; }
  /// Row-major `[patches, channels]`; not with split().
  const float* rows() const { return rows_.data(); }
  /// The rows as the right factor of multiply_panels(): `[channels, patches]`; not with split().
  const float* panels() const { return panels_.data(); }
  /// The rows for split products, when assigned for those; else null.
  const SplitMatrix* split() const { return is_split_ ? &split_ : nullptr; }
  /// Length of each patch before it was scaled.
  const float* lengths() const { return lengths_.data(); }

 private:
  int64_t patches_ = 0;
  int64_t channels_ = 0;
  AlignedBuffer<float> rows_;
  AlignedBuffer<float> panels_;
  AlignedBuffer<float> lengths_;
  bool is_split_ = false;
  SplitMatrix split_;
};

/// Cosine similarities of patches [begin, end) of `current` with all patches of `next`, which has
/// as many channels and was assigned for the same product: out is `[end - begin, next.patches()]`.
/// The result of a row does not depend on the range it is computed in.
void cosine_similarity(const NormalizedFrame& current, int64_t begin, int64_t end,
                       const NormalizedFrame& next, float* out);

/// Cosine similarities of one patch of `current` with some patches of `next`.
void cosine_similarities_of(const NormalizedFrame& current, int64_t patch,
                            const NormalizedFrame& next, std::span<const int32_t> candidates,
                            float* out);

}  // namespace ata

#endif  // ATA_ALIGNMENT_SIMILARITY_H_
