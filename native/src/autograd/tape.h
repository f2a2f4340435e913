#ifndef ATA_AUTOGRAD_TAPE_H_
#define ATA_AUTOGRAD_TAPE_H_

#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace ata {

/// A tensor that takes part in differentiation. Copies refer to the same variable.
///
/// `gradient()` is an f32 tensor of the value's shape, empty until something was accumulated.
/// Operations read and accumulate it in their backward; nothing overwrites it.
class Variable {
 public:
  Variable() = default;
  explicit Variable(Tensor value, bool requires_gradient = false);

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state_->value; }
  Tensor& value() { return state_->value; }
  bool requires_gradient() const { return state_ && state_->requires_gradient; }

  const Tensor& gradient() const { return state_->gradient; }
  /// The gradient, zeroed on first use; for kernels that accumulate (`+=`) into it.
  Tensor& mutable_gradient(const std::shared_ptr<Allocator>& allocator) const;
  void clear_gradient() const { state_->gradient = Tensor(); }

 private:
  struct State {
    Tensor value;
    Tensor gradient;
    bool requires_gradient;
  };
  std::shared_ptr<State> state_;
};

/// Records the operations of one forward pass and runs their backward in reverse order. An
/// operation appends a node only when one of its inputs requires a gradient. One thread at a time.
class Tape {
 public:
  using Backward = std::function<void()>;

  /// `backward` reads the gradient of the operation's outputs and accumulates into its inputs'.
  void record(Backward backward) { nodes_.push_back(std::move(backward)); }

  /// Seeds `loss` (one element) with gradient 1 and runs every node once, newest first, freeing
  /// each node (and the activations it holds) as it goes. The tape is empty afterwards.
  void backward(const Variable& loss, const std::shared_ptr<Allocator>& allocator);

  bool empty() const { return nodes_.empty(); }
  void clear() { nodes_.clear(); }

 private:
  std::vector<Backward> nodes_;
};

}  // namespace ata

#endif  // ATA_AUTOGRAD_TAPE_H_
