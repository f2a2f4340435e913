#ifndef ATA_MODEL_SAFETENSORS_H_
#define ATA_MODEL_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "model/tensor_source.h"
#include "tensor/tensor.h"

namespace ata {

/// A set of named tensors with string metadata, stored in the safetensors format: eight bytes of
/// little-endian header length, a JSON header, then the tensors' bytes without gaps.
///
/// Opening a file checks its whole header and reads no tensor; get() reads one. A file may come
/// from anywhere: whatever is wrong with it ends in ATA_BAD_MODEL naming the file, the tensor and
/// the fault. Reading from several threads at once is safe; changing the set is not.
class TensorFile : public TensorSource {
 public:
  /// An empty set.
  TensorFile() = default;
  /// Opens `path`. Throws ATA_NOT_FOUND, ATA_IO_ERROR or ATA_BAD_MODEL.
  explicit TensorFile(const std::string& path);
  explicit TensorFile(std::shared_ptr<const InputFile> file);

  /// The file's path; "" for a set that was not opened.
  const std::string& path() const override { return path_; }
  /// The file as an argument of the command line, for remedies: FILE for one in memory.
  std::string argument() const { return file_ && file_->in_memory() ? "FILE" : path_; }
  size_t count() const override { return entries_.size(); }
  /// Name of tensor `index`, in the order of the file, then of set().
  const std::string& name(size_t index) const override { return entries_[index].name; }
  bool contains(const std::string& name) const override { return index_.count(name) != 0; }
  /// Extents of a tensor, any rank. Throws ATA_INVALID_ARGUMENT if there is none of that name.
  const std::vector<int64_t>& dims(const std::string& name) const override;

  /// Reads a tensor. F16 and F64 are converted to f32; element types that DType lacks, and ranks
  /// above Shape::kMaxRank, are ATA_BAD_MODEL. Throws ATA_INVALID_ARGUMENT for an unknown name.
  Tensor get(const std::string& name) const;
  /// As get(), converted to f32 from any floating-point type; ATA_BAD_MODEL for other types.
  Tensor get_f32(const std::string& name) const override;

  /// Adds or replaces a tensor; shares its memory.
  void set(const std::string& name, const Tensor& tensor);

  /// A metadata string, or null.
  const std::string* metadata(const std::string& key) const override;
  void set_metadata(const std::string& key, const std::string& value);

  /// Writes the set, atomically (AtomicFile). The bytes depend on the content alone: tensors are
  /// ordered by falling element size, then name, so that each is aligned to its element.
  void save(const std::string& path) const;

 private:
  struct Entry {
    std::string name;
    /// The format's name of the element type, such as "F32".
    std::string dtype;
    std::vector<int64_t> dims;
    /// Position of the bytes in the file.
    uint64_t begin = 0;
    uint64_t end = 0;
    /// The content of tensors that set() gave; undefined for those in the file.
    Tensor tensor;
  };
  class HeaderReader;

  void check_layout(uint64_t data_begin);
  const Entry& find(const std::string& name) const;
  Tensor read(const Entry& entry) const;

  std::string path_;
  std::shared_ptr<const InputFile> file_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace ata

#endif  // ATA_MODEL_SAFETENSORS_H_
