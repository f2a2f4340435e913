#include "model/tensor_source.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "model/containers/file_format.h"
#include "model/containers/pytorch_file.h"
#include "model/containers/sharded_file.h"
#include "model/safetensors.h"

namespace ata {
namespace {

namespace fs = std::filesystem;

// The checkpoint of a folder, by the names that Hugging Face's libraries and OpenCLIP write,
// safetensors first; else the only index of shards.
std::string checkpoint_in_folder(const std::string& folder) {
  std::error_code code;
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
        "pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin"}) {
    const fs::path file = native_path(folder) / name;
    if (fs::is_regular_file(file, code)) return utf8_path(file);
  }
  std::vector<std::string> indices;
  for (fs::directory_iterator entry(native_path(folder), code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string path = utf8_path(entry->path());
    if (path.ends_with(".index.json")) indices.push_back(path);
  }
  if (code) fail(ATA_IO_ERROR, "cannot list '", folder, "': ", code.message());
  if (indices.size() == 1) return indices.front();
  if (indices.empty()) {
    fail(ATA_NOT_FOUND, "the folder '", folder,
         "' holds neither model.safetensors, pytorch_model.bin nor an index of shards "
         "(*.index.json); name the checkpoint's file");
  }
  std::sort(indices.begin(), indices.end());
  fail(ATA_INVALID_ARGUMENT, "the folder '", folder, "' holds several indices of shards ('",
       indices[0], "', '", indices[1], "'); name one of them");
}

}  // namespace

const std::vector<std::string>& TensorSource::ignored() const {
  static const std::vector<std::string> none;
  return none;
}

std::unique_ptr<TensorSource> open_tensor_source(const std::string& path, const std::string& key) {
  std::error_code code;
  if (fs::is_directory(native_path(path), code)) {
    return open_tensor_source(checkpoint_in_folder(path), key);
  }
  const FileFormat kind = recognise(InputFile(path));
  require(key.empty() || kind.is_pytorch(), "key '", key, "' is for the dictionaries of a PyTorch ",
          "file, but '", path, "' is ", kind.what.empty() ? "none" : kind.what);
  switch (kind.container) {
    case FileFormat::Container::kPyTorchZip:
    case FileFormat::Container::kPyTorchLegacy:
      return std::make_unique<PyTorchFile>(path, kind.container, key);
    case FileFormat::Container::kShardIndex:
      return std::make_unique<ShardedFile>(path);
    case FileFormat::Container::kOther:
      fail(ATA_BAD_MODEL, "'", path, "' is ", kind.what, "; ", kind.remedy);
    case FileFormat::Container::kSafetensors:
    // What is wrong with a damaged file is best said by its reader.
    case FileFormat::Container::kUnknown:
      return std::make_unique<TensorFile>(path);
  }
  fail(ATA_INTERNAL, "a file of no kind");
}

}  // namespace ata
