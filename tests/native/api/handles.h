#ifndef ATA_TESTS_API_HANDLES_H_
#define ATA_TESTS_API_HANDLES_H_

#include <memory>

#include "ata/ata.h"

/// Releases a handle of the C API by its own function.
struct Release {
  void operator()(ata_tensor* tensor) const { ata_tensor_release(tensor); }
  void operator()(ata_model* model) const { ata_model_release(model); }
  void operator()(ata_session* session) const { ata_session_release(session); }
  void operator()(ata_trainer* trainer) const { ata_trainer_release(trainer); }
  void operator()(ata_cancellation* flag) const { ata_cancellation_release(flag); }
  void operator()(ata_assigner* assigner) const { ata_assigner_release(assigner); }
  void operator()(ata_temporal_block* block) const { ata_temporal_block_release(block); }
  void operator()(ata_online_aligner* aligner) const { ata_online_aligner_release(aligner); }
};
template <typename T>
using Handle = std::unique_ptr<T, Release>;

#endif  // ATA_TESTS_API_HANDLES_H_
