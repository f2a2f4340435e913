#ifndef ATA_MODEL_CHECKPOINT_H_
#define ATA_MODEL_CHECKPOINT_H_

#include <string>

#include "model/config.h"
#include "model/parameters.h"
#include "model/safetensors.h"
#include "ops/embedding.h"

namespace ata {

/// A checkpoint file (docs/formats.md, "Checkpoints") whose tensors have been checked against its
/// configuration: all there, of the right shapes. Their values are read one by one, on demand.
class Checkpoint {
 public:
  /// Throws ATA_NOT_FOUND, ATA_IO_ERROR, or ATA_BAD_MODEL naming the file and the tensor: also one
  /// that the model does not have, for without it another network might come out.
  explicit Checkpoint(const std::string& path);
  explicit Checkpoint(std::shared_ptr<const InputFile> file);

  const std::string& path() const { return file_.path(); }
  /// The configuration as stored.
  const ModelConfig& config() const { return config_; }
  bool contains(const std::string& parameter) const { return file_.contains(parameter); }

  /// Reads a parameter as f32; ATA_BAD_MODEL when it holds a NaN or an infinity. What
  /// depends on image_size or frames is resampled to those of `target`.
  Tensor read(const std::string& name, const ModelConfig& target, Resampling resampling) const;

 private:
  void check_tensors() const;

  TensorFile file_;
  ModelConfig config_;
};

/// Writes a checkpoint atomically; the parameters are in the host's memory.
void save_checkpoint(const std::string& path, const ModelConfig& config,
                     const ParameterSet& parameters);

}  // namespace ata

#endif  // ATA_MODEL_CHECKPOINT_H_
