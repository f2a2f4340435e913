#include "model/importers/foreign_checkpoint.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "base/text.h"
#include "model/containers/element_types.h"

namespace ata {
namespace {

// Others write a `config` too. A damaged one of ours must not pass for one of theirs.
bool is_of_another_project(const std::string& config) {
  const auto json = nlohmann::json::parse(config, nullptr, /*allow_exceptions=*/false);
  return json.is_object() && !json.contains("temporal") && !json.contains("frames");
}

std::vector<int64_t> essential_dims(const std::string& ours, std::span<const int64_t> dims) {
  const size_t rank = ours == "cls_token"                           ? 1
                      : ours == "pos_embed" || ours == "time_embed" ? 2
                                                                    : dims.size();
  std::vector<int64_t> result(dims.begin(), dims.end());
  while (result.size() > rank && result.front() == 1) result.erase(result.begin());
  return result;
}

}  // namespace

ForeignCheckpoint::ForeignCheckpoint(const std::string& path, const std::string& key,
                                     ata_checkpoint_source source,
                                     const std::vector<std::string>& ignore)
    : source_(open_tensor_source(path, key)) {
  const std::string* json = source_->metadata("config");
  if (json != nullptr && !is_of_another_project(*json)) {
    // Its names are timm's and TimeSformer's.
    if (source != ATA_CHECKPOINT_AUTO && source != ATA_CHECKPOINT_TIMM &&
        source != ATA_CHECKPOINT_TIMESFORMER) {
      bad("it is a checkpoint of Ata, which needs no origin; leave --from out");
    }
    own_config_ = ModelConfig::from_json(*json, concat("'", source_->path(), "'"));
    names_ = std::make_unique<Translation>(*source_, ata_family(), ignore);
  } else {
    names_ = std::make_unique<Translation>(*source_, source, ignore);
  }
}

std::vector<int64_t> ForeignCheckpoint::dims(const std::string& ours) const {
  const std::vector<std::string>& parts = names_->parts(ours);
  std::vector<int64_t> result;
  for (const std::string& part : parts) {
    const std::vector<int64_t> extents = essential_dims(ours, source_->dims(part));
    if (result.empty()) {
      result = extents;
      continue;
    }
    // The parts are as long as each other: queries, keys and values.
    if (extents != essential_dims(ours, source_->dims(parts[0])) || extents.empty()) {
      bad("'", parts[0], "' has shape ", dims_to_string(source_->dims(parts[0])), " and '", part,
          "' ", dims_to_string(source_->dims(part)), "; they must be the same");
    }
    result[0] += extents[0];
  }
  return result;
}

Tensor ForeignCheckpoint::read(const ParameterInfo& info) const {
  const std::vector<std::string>& parts = names_->parts(info.name);
  const std::vector<int64_t> actual = dims(info.name);
  std::vector<int64_t> expected = essential_dims(info.name, info.shape.dims());
  if (actual != expected) {
    if (!expected.empty()) expected[0] /= static_cast<int64_t>(parts.size());
    bad("tensor '", parts[0], "' has shape ", dims_to_string(source_->dims(parts[0])),
        "; the others call for ", dims_to_string(expected));
  }
  Tensor result(info.shape, DType::kF32);
  char* out = static_cast<char*>(result.raw());
  for (const std::string& part : parts) {
    const Tensor piece = source_->get_f32(part);
    check_finite(piece, part, concat("'", path(), "'"));
    std::memcpy(out, piece.raw(), piece.bytes());
    out += piece.bytes();
  }
  return result;
}

}  // namespace ata
