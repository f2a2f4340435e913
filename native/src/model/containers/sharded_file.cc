#include "model/containers/sharded_file.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "model/containers/file_format.h"

namespace ata {
namespace {

// The index of a model of 100,000 tensors has a tenth of this.
constexpr uint64_t kMaxIndexBytes = 64 << 20;
constexpr char kMap[] = "weight_map";

template <typename... Args>
[[noreturn]] void bad(const std::string& path, const Args&... args) {
  fail(ATA_BAD_MODEL, "'", path, "' is not a valid index of shards: ", args...);
}

// The shard of every tensor. Nothing but the map's strings is kept in memory.
std::map<std::string, std::vector<std::string>> read_index(const std::string& path) {
  const InputFile file(path);
  if (file.size() > kMaxIndexBytes) bad(path, "it has ", file.size(), " bytes");
  std::string text(static_cast<size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size());

  std::string member;
  std::unordered_set<std::string> names;
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::key) {
      const std::string& key = value.get_ref<const std::string&>();
      if (depth == 1) member = key;
      if (depth == 2 && member == kMap && !names.insert(key).second) {
        bad(path, "'", key, "' appears twice");
      }
    }
    return depth == 0 || member == kMap;
  };
  std::map<std::string, std::vector<std::string>> shards;
  try {
    const nlohmann::json json = nlohmann::json::parse(text, check);
    if (!json.is_object() || !json.contains(kMap) || !json[kMap].is_object()) {
      bad(path, "it has no object '", kMap, "'");
    }
    for (const auto& [name, shard] : json[kMap].items()) {
      if (!shard.is_string()) bad(path, "the shard of '", name, "' is not a string");
      const std::string& file_name = shard.get_ref<const std::string&>();
      // An index may come from anywhere: it names files beside it and no others.
      if (file_name.empty() || file_name == "." || file_name == ".." ||
          file_name.find_first_of("/\\:") != std::string::npos ||
          file_name.find('\0') != std::string::npos) {
        bad(path, "the shard of '", name, "' is not the name of a file beside it");
      }
      shards[file_name].push_back(name);
    }
  } catch (const nlohmann::json::exception&) {
    bad(path, "it is not valid JSON");
  }
  if (shards.empty()) bad(path, "it names no tensor");
  return shards;
}

}  // namespace

ShardedFile::ShardedFile(const std::string& index_path) : path_(index_path) {
  const std::filesystem::path folder = native_path(index_path).parent_path();
  const std::map<std::string, std::vector<std::string>> shards = read_index(index_path);
  for (const auto& [file_name, names] : shards) {
    std::error_code code;
    if (!std::filesystem::exists(folder / native_path(file_name), code)) {
      fail(ATA_NOT_FOUND, "'", index_path, "' needs the shard '", file_name,
           "' beside it, which is missing; download it too");
    }
  }
  for (const auto& [file_name, names] : shards) {
    const std::string shard_path = utf8_path(folder / native_path(file_name));
    const FileFormat kind = recognise(InputFile(shard_path));
    if (kind.container == FileFormat::Container::kShardIndex) {
      bad(index_path, "'", file_name, "' is an index itself");
    }
    shards_.push_back(open_tensor_source(shard_path, ""));
    const TensorSource* const shard = shards_.back().get();
    for (const std::string& name : names) {
      if (!shard->contains(name)) {
        fail(ATA_BAD_MODEL, "'", shard_path, "' has no tensor '", name, "', which '", index_path,
             "' says it has; the files do not belong together");
      }
      names_.push_back(name);
      shard_of_.emplace(name, shard);
    }
    for (size_t i = 0; i < shard->count(); ++i) {
      const auto found = shard_of_.find(shard->name(i));
      if (found == shard_of_.end() || found->second != shard) {
        fail(ATA_BAD_MODEL, "'", shard_path, "' has a tensor '", shard->name(i), "' that '",
             index_path, "' does not name there; the files do not belong together");
      }
    }
    ignored_.insert(ignored_.end(), shard->ignored().begin(), shard->ignored().end());
  }
}

const TensorSource& ShardedFile::shard(const std::string& name) const {
  const auto found = shard_of_.find(name);
  if (found == shard_of_.end()) {
    fail(ATA_INVALID_ARGUMENT, "'", path_, "' has no tensor '", name, "'");
  }
  return *found->second;
}

const std::vector<int64_t>& ShardedFile::dims(const std::string& name) const {
  return shard(name).dims(name);
}

Tensor ShardedFile::get_f32(const std::string& name) const {
  return shard(name).get_f32(name);
}

const std::string* ShardedFile::metadata(const std::string& key) const {
  return shards_.front()->metadata(key);
}

}  // namespace ata
