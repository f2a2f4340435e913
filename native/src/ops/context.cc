#include "ops/context.h"

namespace ata {

void Context::check_cancelled() const {
  if (cancelled && cancelled->load(std::memory_order_relaxed)) {
    fail(ATA_CANCELLED, "the call was cancelled");
  }
}

void Context::accumulate_gradient(const Variable& variable, Tensor gradient) const {
  if (!variable.requires_gradient()) return;
  if (variable.gradient()) {
    kernels->add(gradient, variable.mutable_gradient(allocator));
  } else {
    variable.set_gradient(std::move(gradient));
  }
}

}  // namespace ata
