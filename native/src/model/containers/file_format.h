#ifndef ATA_MODEL_CONTAINERS_FILE_FORMAT_H_
#define ATA_MODEL_CONTAINERS_FILE_FORMAT_H_

#include <string>

#include "base/file.h"

namespace ata {

/// What a file is by its content; its name plays no part.
struct FileFormat {
  enum class Container {
    kSafetensors,
    /// JSON that names the shards which tensors are in.
    kShardIndex,
    /// What torch.save() writes, since PyTorch 1.6 and before.
    kPyTorchZip,
    kPyTorchLegacy,
    /// Something else that was recognised.
    kOther,
    /// Nothing that is known.
    kUnknown,
  };
  Container container = Container::kUnknown;
  /// What it is, with an article: "an HTML page".
  std::string what;
  /// What to do, as the end of a sentence; "" for checkpoints that can be read.
  std::string remedy;

  bool is_pytorch() const {
    return container == Container::kPyTorchZip || container == Container::kPyTorchLegacy;
  }
};

/// Looks at a file's first bytes, at a zip archive's table of contents too. Throws ATA_IO_ERROR
/// only.
FileFormat recognise(const InputFile& file);

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_FILE_FORMAT_H_
