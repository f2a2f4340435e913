#ifndef ATA_MODEL_TENSOR_SOURCE_H_
#define ATA_MODEL_TENSOR_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
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
  /// What the file holds beside the tensors, one line each, such as "epoch: 5" or
  /// "args: an object of class argparse.Namespace"; empty where the container holds nothing else.
  virtual const std::vector<std::string>& ignored() const;
};

/// Opens a file of named tensors, whatever its container, which its first bytes tell: safetensors,
/// an index of shards beside it (`*.index.json`), or a file that PyTorch's torch.save() wrote (zip
/// or the format before 1.6). A folder stands for the checkpoint in it that Hugging Face's
/// libraries would take. Opening reads no tensor.
///
/// `key` is the path of the weights among nested dictionaries of a PyTorch file, joined by dots,
/// such as "model_state"; with "" they are looked for under the usual keys. Nothing that such a
/// file asks to import or to call is imported or called.
///
/// Throws ATA_NOT_FOUND, ATA_IO_ERROR, ATA_INVALID_ARGUMENT for a key that the file does not have
/// or when several would do, naming them, and ATA_BAD_MODEL saying what a file of another kind is.
std::unique_ptr<TensorSource> open_tensor_source(const std::string& path, const std::string& key);

}  // namespace ata

#endif  // ATA_MODEL_TENSOR_SOURCE_H_
