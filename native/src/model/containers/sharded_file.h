#ifndef ATA_MODEL_CONTAINERS_SHARDED_FILE_H_
#define ATA_MODEL_CONTAINERS_SHARDED_FILE_H_

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/tensor_source.h"

namespace ata {

/// A checkpoint in several files, its shards, beside an index that says which tensor is in which:
/// Hugging Face's `model.safetensors.index.json` or `pytorch_model.bin.index.json`. Index and
/// shards must agree in every tensor. Metadata is the first shard's.
class ShardedFile : public TensorSource {
 public:
  /// Throws ATA_NOT_FOUND for a shard that is missing, else as open_tensor_source().
  explicit ShardedFile(const std::string& index_path);

  const std::string& path() const override { return path_; }
  size_t count() const override { return names_.size(); }
  const std::string& name(size_t index) const override { return names_[index]; }
  bool contains(const std::string& name) const override { return shard_of_.count(name) != 0; }
  const std::vector<int64_t>& dims(const std::string& name) const override;
  Tensor get_f32(const std::string& name) const override;
  const std::string* metadata(const std::string& key) const override;
  const std::vector<std::string>& ignored() const override { return ignored_; }

 private:
  const TensorSource& shard(const std::string& name) const;

  std::string path_;
  std::vector<std::unique_ptr<TensorSource>> shards_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, const TensorSource*> shard_of_;
  std::vector<std::string> ignored_;
};

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_SHARDED_FILE_H_
