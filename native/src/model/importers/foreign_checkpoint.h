#ifndef ATA_MODEL_IMPORTERS_FOREIGN_CHECKPOINT_H_
#define ATA_MODEL_IMPORTERS_FOREIGN_CHECKPOINT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/config.h"
#include "model/importers/translation.h"
#include "model/parameters.h"
#include "model/tensor_source.h"

namespace ata {

/// A file of another project, or of Ata's own, seen under the reference model's names.
class ForeignCheckpoint {
 public:
  /// As Translation, and open_tensor_source() for `path` and `key`.
  ForeignCheckpoint(const std::string& path, const std::string& key, ata_checkpoint_source source,
                    const std::vector<std::string>& ignore);

  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(ATA_BAD_MODEL, "'", path(), "' cannot be imported: ", args...);
  }

  const std::string& path() const { return source_->path(); }
  const TensorSource& source() const { return *source_; }
  const Translation& names() const { return *names_; }
  /// The configuration, if the file is Ata's own.
  const std::optional<ModelConfig>& own_config() const { return own_config_; }

  /// Extents of one of our tensors, its parts together, without the leading ones that files
  /// disagree about: `cls_token` has one axis, `pos_embed` and `time_embed` have two.
  std::vector<int64_t> dims(const std::string& ours) const;
  /// Reads one of our tensors. Throws ATA_BAD_MODEL naming the foreign tensor when its shape is
  /// another, or its values are not finite.
  Tensor read(const ParameterInfo& info) const;

 private:
  std::unique_ptr<TensorSource> source_;
  std::optional<ModelConfig> own_config_;
  std::unique_ptr<Translation> names_;
};

}  // namespace ata

#endif  // ATA_MODEL_IMPORTERS_FOREIGN_CHECKPOINT_H_
