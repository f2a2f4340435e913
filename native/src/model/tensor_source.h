#ifndef ATA_MODEL_TENSOR_SOURCE_H_
#define ATA_MODEL_TENSOR_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace ata {

/// Named tensors in a file that comes from outside, whatever its container. What is wrong with the
/// file ends in ATA_BAD_MODEL naming the file, the tensor and the fault. Reading from several
/// threads at once is safe.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// The path that was opened.
  virtual const std::string& path() const = 0;
  virtual size_t count() const = 0;
  /// Name of tensor `index`, in the order of the file.
  virtual const std::string& name(size_t index) const = 0;
  virtual bool contains(const std::string& name) const = 0;
  /// Extents of a tensor, any rank. Throws ATA_INVALID_ARGUMENT if there is none of that name.
  virtual const std::vector<int64_t>& dims(const std::string& name) const = 0;
  /// Reads a tensor, converted to f32 from any floating-point type; ATA_BAD_MODEL for other types.
  virtual Tensor get_f32(const std::string& name) const = 0;
  /// A metadata string, or null.
  virtual const std::string* metadata(const std::string& key) const = 0;
};

}  // namespace ata

#endif  // ATA_MODEL_TENSOR_SOURCE_H_
