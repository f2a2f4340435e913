#ifndef ATA_MODEL_IMPORTERS_PUBLISHED_CONFIG_H_
#define ATA_MODEL_IMPORTERS_PUBLISHED_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/importers/family.h"
#include "model/importers/import_note.h"

namespace ata {

/// A value, and where it is written, such as "'num_attention_heads' of 'vit/config.json'".
template <typename T>
struct Stated {
  T value;
  std::string where;
};

/// What the configuration files beside a checkpoint say about its network. What they do not say is
/// empty; of Hugging Face's files it is the default that their libraries take.
struct PublishedConfig {
  std::optional<Stated<int32_t>> dim;
  std::optional<Stated<int32_t>> depth;
  std::optional<Stated<int32_t>> heads;
  std::optional<Stated<int32_t>> hidden_dim;
  std::optional<Stated<int32_t>> patch_size;
  std::optional<Stated<int32_t>> image_size;
  std::optional<Stated<int32_t>> frames;
  std::optional<Stated<int32_t>> classes;
  std::optional<Stated<bool>> qkv_bias;
  std::optional<Stated<ata_activation>> activation;
  std::optional<Stated<float>> norm_eps;
  std::optional<Stated<ata_temporal_mode>> temporal;
  std::optional<Stated<Normalization>> normalization;
  std::optional<Stated<std::vector<std::string>>> labels;
  /// The size of the pictures that the original was made to see.
  std::optional<Stated<int32_t>> seen_size;
  /// Files that were there and of no use.
  ImportNotes notes;
};

/// Reads the configuration files in `folder` that describe a checkpoint of `family`. Throws
/// ATA_BAD_MODEL naming the file and the field when one is malformed, is of another network, or
/// asks for what the reference model does not have.
PublishedConfig read_published_config(const std::string& folder, const Family& family);

}  // namespace ata

#endif  // ATA_MODEL_IMPORTERS_PUBLISHED_CONFIG_H_
