#include "autograd/tape.h"

#include <utility>

namespace ata {

Variable::Variable(Tensor value, bool requires_gradient)
    : state_(std::make_shared<State>(State{std::move(value), Tensor(), requires_gradient})) {}

void Variable::set_gradient(Tensor gradient) const {
  if (state_->gradient || gradient.dtype() != DType::kF32 ||
      !(gradient.shape() == state_->value.shape())) {
    fail(ATA_INTERNAL, "a gradient of shape ", gradient.shape().to_string(),
         " cannot become that of a variable of shape ", state_->value.shape().to_string(),
         state_->gradient ? ", which has one already" : "");
  }
  state_->gradient = std::move(gradient);
}

Tensor Variable::take_gradient() const {
  return std::exchange(state_->gradient, Tensor());
}

void Tape::backward(const Variable& output, Tensor gradient) {
  // Taken out first, so that the tape is empty whatever a node throws.
  std::vector<Backward> nodes = std::exchange(nodes_, {});
  output.set_gradient(std::move(gradient));
  while (!nodes.empty()) {
    const Backward node = std::move(nodes.back());
    nodes.pop_back();
    node();
  }
}

}  // namespace ata
