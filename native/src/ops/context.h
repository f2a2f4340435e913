#ifndef ATA_OPS_CONTEXT_H_
#define ATA_OPS_CONTEXT_H_

#include <atomic>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "backend/kernels.h"
#include "tensor/tensor.h"

namespace ata {

/// What every operation runs in: the stream of a device, from which results are allocated, and
/// whether the operation is recorded. A session owns one; it is used by one thread at a time.
struct Context {
  std::shared_ptr<Stream> stream;
  /// Null in inference: no node is recorded and no intermediate is kept.
  Tape* tape = nullptr;
  /// Null, or a flag that check_cancelled() reads.
  const std::atomic<bool>* cancelled = nullptr;

  /// Queues an entry of the device's table: context.run(&Kernels::add, x, y).
  template <typename Result, typename... Parameters, typename... Arguments>
  Result run(Result (*Kernels::*entry)(Stream&, Parameters...), Arguments&&... arguments) const {
    return (stream->device.kernels().*entry)(*stream, std::forward<Arguments>(arguments)...);
  }

  Tensor empty(Shape shape, DType dtype = DType::kF32) const {
    return Tensor(shape, dtype, stream->allocator);
  }
  Tensor zeros(Shape shape, DType dtype = DType::kF32) const;
  void fill_zero(Tensor& tensor) const;
  /// A copy in new memory of the device, of a tensor of the host or of the device.
  Tensor copy(const Tensor& tensor) const;
  /// `tensor` in the device's memory; itself when it is there already (also where the host's memory
  /// is the device's) or empty. Of another device it is ATA_INTERNAL.
  Tensor upload(const Tensor& tensor) const;
  /// A copy in the host's memory; waits for the device. With `may_share` the tensor itself where
  /// the host's memory is the device's. The only way of a value from a device to the host.
  Tensor download(const Tensor& tensor, bool may_share = false) const;
  /// Copies of several tensors, which may be empty, with one wait for all.
  std::vector<Tensor> download(std::span<const Tensor> tensors) const;
  /// Throws, naming `pass`, when the device has seen an error (StreamStatus) since the last call:
  /// `not_finite` for features (ATA_INVALID_ARGUMENT where they are the caller's), else
  /// ATA_INVALID_ARGUMENT. Once a pass, with its results: it waits for the device.
  void check_status(const char* pass, ata_status not_finite = ATA_NOT_FINITE) const;
  /// The same of the stream's status word, which came down with a pass's results.
  void check_status(const Tensor& word, const char* pass,
                    ata_status not_finite = ATA_NOT_FINITE) const;

  /// Forgets what the device saw in a pass that ended by another error: a pass begins with it.
  void clear_status() const;

  /// Waits for all that was queued, before other streams read it.
  void synchronize() const { stream->device.synchronize(*stream); }

  /// Throws ATA_CANCELLED when the flag is set. Called between blocks.
  void check_cancelled() const;

  /// True when an operation on these inputs appends a node to the tape.
  template <typename... Variables>
  bool records(const Variables&... inputs) const {
    return tape && (inputs.requires_gradient() || ...);
  }
  /// Replaces the values of `to`, of the device, by those of `from`, of the host or the device.
  void assign(Tensor& to, const Tensor& from) const;
  /// Gives a variable without gradient one whose values are still to be written.
  Tensor& new_gradient(const Variable& variable) const;
  /// The variable's gradient, zeroed on first use; for kernels that accumulate (`+=`) into it.
  Tensor& gradient(const Variable& variable) const;
  /// Adds `gradient` to the variable's, or hands it over when there is none yet; nothing when the
  /// variable requires none. For the backward of operations.
  void accumulate_gradient(const Variable& variable, Tensor gradient) const;
  /// Runs the tape back from `loss`, of one element, whose gradient is 1.
  void backward(const Variable& loss) const;
};

/// A context on a stream of its own that allocates from the device's own memory: for what outlives
/// a run.
Context make_context(Device& device);
/// The same queue as `stream`, allocating from `allocator`.
Context on_queue_of(const std::shared_ptr<Stream>& stream, std::shared_ptr<Allocator> allocator);
/// The same queue as `stream`, allocating from the device's own memory.
Context lasting_context(const std::shared_ptr<Stream>& stream);
/// The same queue as `stream`, allocating from a workspace of its own, for what is needed again and
/// again: new memory of a device may wait for the work that used it before.
Context scratch_context(const std::shared_ptr<Stream>& stream);

}  // namespace ata

#endif  // ATA_OPS_CONTEXT_H_
