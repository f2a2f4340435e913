#ifndef ATA_BACKEND_KERNELS_H_
#define ATA_BACKEND_KERNELS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "tensor/tensor.h"

namespace ata {

/// A weight matrix in the layout and precision that a backend's product wants. Immutable.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
};

/// The operations of one device: the table every backend fills. Entries check nothing; the ops in
/// native/src/ops check shapes and types first. The entry order is the plugin interface: change
/// kKernelsVersion with it.
///
/// Backward entries accumulate (`+=`) into the gradients of parameters and overwrite (`=`)
/// temporary outputs, as their comments say.
struct Kernels {
  // Filled in by the ops helper.
};

/// The CPU's table; always available.
const Kernels& cpu_kernels();

}  // namespace ata

#endif  // ATA_BACKEND_KERNELS_H_
