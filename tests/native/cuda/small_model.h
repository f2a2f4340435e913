#ifndef ATA_TESTS_CUDA_SMALL_MODEL_H_
#define ATA_TESTS_CUDA_SMALL_MODEL_H_

#include <memory>

#include "model/model.h"

namespace ata {

/// What a small model on a GPU is, of 3 frames, 5 classes and 2 blocks.
struct SmallModel {
  ata_temporal_mode temporal = ATA_TEMPORAL_ATA;
  ata_alignment alignment = ATA_ALIGNMENT_EXACT;
  ata_precision precision = ATA_PRECISION_F32;
  /// Height and width; a patch has 8.
  int pixels = 24;
};
/// With packed weights, as inference has it. Within a test.
std::shared_ptr<const Model> load_small(const SmallModel& what, Device& device);

/// The same one, to be trained; its precision is the trainer's.
std::shared_ptr<Model> trainable_small(const SmallModel& what, Device& device);

/// A clip for it, of the host.
Tensor small_clip(int64_t batch, uint64_t seed, int pixels = SmallModel{}.pixels);

/// Whether two tensors of the host are the same bit for bit.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace ata

#endif  // ATA_TESTS_CUDA_SMALL_MODEL_H_
