#ifndef ATA_AUTOGRAD_TAPE_H_
#define ATA_AUTOGRAD_TAPE_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace ata {

/// A tensor that takes part in differentiation. Copies refer to the same variable.
///
/// `gradient()` is an f32 tensor of the value's shape, empty until something was accumulated (by
/// ops/context.h).
/// Operations accumulate into their inputs' gradients in their backward and release the gradients
/// of their outputs, so that afterwards only the leaves (parameters, inputs) hold one.
class Variable {
 public:
  Variable() = default;
  explicit Variable(Tensor value, bool requires_gradient = false);

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state_->value; }
  Tensor& value() { return state_->value; }
  bool requires_gradient() const { return state_ && state_->requires_gradient; }

  Tensor& gradient() const { return state_->gradient; }
  /// Makes `gradient` the gradient of a variable that has none yet. The variable takes it over: no
  /// one else writes to its memory from then on.
  void set_gradient(Tensor gradient) const;
  /// Memory in which the gradient is to be formed, f32 of the value's shape; else it gets its own.
  void set_gradient_memory(Tensor memory) const { state_->gradient_memory = std::move(memory); }
  const Tensor& gradient_memory() const { return state_->gradient_memory; }
  /// Moves the gradient out and leaves none.
  Tensor take_gradient() const;
  void clear_gradient() const { state_->gradient = Tensor(); }

 private:
  struct State {
    Tensor value;
    Tensor gradient;
    bool requires_gradient;
    Tensor gradient_memory = {};
  };
  std::shared_ptr<State> state_;
};

/// Records the operations of one forward pass and runs their backward in reverse order. An
/// operation appends a node only when one of its inputs requires a gradient. One thread at a time.
class Tape {
 public:
  using Backward = std::function<void()>;

  /// `backward` takes the gradient of the operation's output and accumulates into its inputs'.
  void record(Backward backward) { nodes_.push_back(std::move(backward)); }

  /// Gives `output` its `gradient` (f32, of its shape; 1 for a loss) and runs every node once,
  /// newest first, freeing each node (and the activations it holds) as it goes. The tape is empty
  /// afterwards, also when a node throws.
  void backward(const Variable& output, Tensor gradient);

  bool empty() const { return nodes_.empty(); }
  void clear() { nodes_.clear(); }

 private:
  std::vector<Backward> nodes_;
};

}  // namespace ata

#endif  // ATA_AUTOGRAD_TAPE_H_
