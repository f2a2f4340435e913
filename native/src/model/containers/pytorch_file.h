#ifndef ATA_MODEL_CONTAINERS_PYTORCH_FILE_H_
#define ATA_MODEL_CONTAINERS_PYTORCH_FILE_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "model/containers/file_format.h"
#include "model/tensor_source.h"

namespace ata {

/// A file that torch.save() wrote, in its zip format or the one before PyTorch 1.6. Its pickle is
/// read as data (Pickle): nothing is imported or called. Tensors are views of storages in the file
/// and are read one by one.
class PyTorchFile : public TensorSource {
 public:
  /// `format` is one of PyTorch's two, as recognise() told it; `key` as of open_tensor_source().
  PyTorchFile(const std::string& path, FileFormat::Container format, const std::string& key);

  const std::string& path() const override { return file_.path(); }
  size_t count() const override { return tensors_.size(); }
  const std::string& name(size_t index) const override { return tensors_[index].name; }
  bool contains(const std::string& name) const override { return index_.count(name) != 0; }
  const std::vector<int64_t>& dims(const std::string& name) const override;
  Tensor get_f32(const std::string& name) const override;
  /// Null: such files have none.
  const std::string* metadata(const std::string& key) const override;
  const std::vector<std::string>& ignored() const override { return ignored_; }

 private:
  struct StoredTensor {
    std::string name;
    /// As of element_types.h.
    std::string type;
    std::vector<int64_t> dims;
    /// Elements from one entry of an axis to the next.
    std::vector<int64_t> strides;
    /// Position of the first element in the file.
    uint64_t begin = 0;
    /// Elements from the first to behind the last one.
    uint64_t extent = 0;
    bool big_endian = false;
  };
  class Reader;

  const StoredTensor& find(const std::string& name) const;

  InputFile file_;
  std::vector<StoredTensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<std::string> ignored_;
};

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_PYTORCH_FILE_H_
