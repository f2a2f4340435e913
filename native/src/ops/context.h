#ifndef ATA_OPS_CONTEXT_H_
#define ATA_OPS_CONTEXT_H_

#include <atomic>
#include <memory>

#include "autograd/tape.h"
#include "backend/kernels.h"
#include "tensor/tensor.h"

namespace ata {

/// What every operation runs in: the device's kernels, where results are allocated, and whether the
/// operation is recorded. A session owns one; it is used by one thread at a time.
struct Context {
  const Kernels* kernels = nullptr;
  std::shared_ptr<Allocator> allocator;
  /// Null in inference: no node is recorded and no intermediate is kept.
  Tape* tape = nullptr;
  /// Null, or a flag that check_cancelled() reads.
  const std::atomic<bool>* cancelled = nullptr;

  Tensor empty(Shape shape, DType dtype = DType::kF32) const {
    return Tensor(shape, dtype, allocator);
  }
  /// Throws ATA_CANCELLED when the flag is set. Called between blocks.
  void check_cancelled() const;

  /// True when an operation on these inputs appends a node to the tape.
  template <typename... Variables>
  bool records(const Variables&... inputs) const {
    return tape && (inputs.requires_gradient() || ...);
  }
  /// Adds `gradient` to the variable's, or hands it over when there is none yet; nothing when the
  /// variable requires none. For the backward of operations.
  void accumulate_gradient(const Variable& variable, Tensor gradient) const;
};

}  // namespace ata

#endif  // ATA_OPS_CONTEXT_H_
