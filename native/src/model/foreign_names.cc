#include "model/foreign_names.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace ata {
namespace {

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// Prefixes that training frameworks wrap a model's names in.
std::string without_wrapper(std::string name) {
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const char* prefix : {"module.", "model."}) {
      if (starts_with(name, prefix)) {
        name.erase(0, std::string(prefix).size());
        stripped = true;
      }
    }
  }
  return name;
}

const char* source_name(ata_source source) {
  switch (source) {
    case ATA_SOURCE_TIMM:
      return "timm";
    case ATA_SOURCE_CLIP:
      return "CLIP";
    case ATA_SOURCE_TIMESFORMER:
      return "TimeSformer";
    default:
      return "unknown";
  }
}

// Names that only one kind of checkpoint has.
ata_source recognise(const std::vector<std::string>& names) {
  bool timm = false;
  bool time = false;
  for (const std::string& wrapped : names) {
    const std::string name = without_wrapper(wrapped);
    if (name == "visual.class_embedding" || name == "class_embedding" ||
        name == "vision_model.embeddings.class_embedding") {
      return ATA_SOURCE_CLIP;
    }
    timm |= name == "blocks.0.attn.qkv.weight";
    time |= name == "time_embed" || name == "blocks.0.temporal_attn.qkv.weight";
  }
  if (!timm) return ATA_SOURCE_AUTO;
  return time ? ATA_SOURCE_TIMESFORMER : ATA_SOURCE_TIMM;
}

struct Place {
  std::string name;
  size_t part = 0;
  size_t parts = 1;
};

using Table = std::vector<std::pair<std::string, Place>>;

// Replaces a leading `prefix` found in `table` by our name; what follows is kept.
std::optional<Place> look_up(const Table& table, const std::string& name) {
  for (const auto& [prefix, place] : table) {
    if (starts_with(name, prefix)) {
      return Place{place.name + name.substr(prefix.size()), place.part, place.parts};
    }
  }
  return std::nullopt;
}

// "i.rest" after a prefix of a block becomes "blocks.i." and the translation of the rest.
std::optional<Place> look_up_block(const Table& table, const std::string& name,
                                   const std::string& prefix) {
  if (!starts_with(name, prefix)) return std::nullopt;
  const size_t dot = name.find('.', prefix.size());
  if (dot == std::string::npos) return std::nullopt;
  auto place = look_up(table, name.substr(dot + 1));
  if (place)
    place->name = "blocks." + name.substr(prefix.size(), dot + 1 - prefix.size()) + place->name;
  return place;
}

std::optional<Place> from_openai_clip(std::string name) {
  static const Table ends = {{"class_embedding", {"cls_token"}},
                             {"positional_embedding", {"pos_embed"}},
                             {"conv1.", {"patch_embed.proj."}},
                             {"ln_pre.", {"norm_pre."}},
                             {"ln_post.", {"norm."}}};
  static const Table block = {{"attn.in_proj_", {"attn.qkv."}},
                              {"attn.out_proj.", {"attn.proj."}},
                              {"ln_1.", {"norm1."}},
                              {"ln_2.", {"norm2."}},
                              {"mlp.c_fc.", {"mlp.fc1."}},
                              {"mlp.c_proj.", {"mlp.fc2."}}};
  if (auto place = look_up_block(block, name, "transformer.resblocks.")) return place;
  return look_up(ends, name);
}

std::optional<Place> from_hugging_face_clip(const std::string& name) {
  static const Table ends = {{"embeddings.class_embedding", {"cls_token"}},
                             {"embeddings.position_embedding.weight", {"pos_embed"}},
                             {"embeddings.patch_embedding.", {"patch_embed.proj."}},
                             // The misspelling is in the checkpoints.
                             {"pre_layrnorm.", {"norm_pre."}},
                             {"post_layernorm.", {"norm."}}};
  static const Table block = {{"self_attn.q_proj.", {"attn.qkv.", 0, 3}},
                              {"self_attn.k_proj.", {"attn.qkv.", 1, 3}},
                              {"self_attn.v_proj.", {"attn.qkv.", 2, 3}},
                              {"self_attn.out_proj.", {"attn.proj."}},
                              {"layer_norm1.", {"norm1."}},
                              {"layer_norm2.", {"norm2."}},
                              {"mlp.fc1.", {"mlp.fc1."}},
                              {"mlp.fc2.", {"mlp.fc2."}}};
  if (auto place = look_up_block(block, name, "encoder.layers.")) return place;
  return look_up(ends, name);
}

// timm and TimeSformer name what they share with the reference model as it does.
std::optional<Place> from_timm(const std::string& name) {
  static const Table ends = {{"cls_token", {"cls_token"}},
                             {"pos_embed", {"pos_embed"}},
                             {"time_embed", {"time_embed"}},
                             {"patch_embed.proj.", {"patch_embed.proj."}},
                             {"norm_pre.", {"norm_pre."}},
                             {"norm.", {"norm."}},
                             {"head.", {"head."}}};
  static const Table block = {{"attn.qkv.", {"attn.qkv."}},
                              {"attn.proj.", {"attn.proj."}},
                              {"norm1.", {"norm1."}},
                              {"norm2.", {"norm2."}},
                              {"mlp.fc1.", {"mlp.fc1."}},
                              {"mlp.fc2.", {"mlp.fc2."}},
                              {"ls1.gamma", {"ls1.gamma"}},
                              {"ls2.gamma", {"ls2.gamma"}},
                              {"temporal_norm1.", {"temporal_norm1."}},
                              {"temporal_attn.qkv.", {"temporal_attn.qkv."}},
                              {"temporal_attn.proj.", {"temporal_attn.proj."}},
                              {"temporal_fc.", {"temporal_fc."}}};
  if (auto place = look_up_block(block, name, "blocks.")) return place;
  return look_up(ends, name);
}

// Variants of timm's models whose arithmetic the reference model does not have.
const char* obstacle(const std::string& name) {
  if (starts_with(name, "fc_norm.")) return "it averages patches instead of reading a class token";
  if (name == "dist_token") return "it has a distillation token";
  if (name == "reg_token") return "it has register tokens";
  if (starts_with(name, "pre_logits.")) return "it has a layer before the head";
  return nullptr;
}

}  // namespace

Translation translate_names(const std::vector<std::string>& names, ata_source source,
                            const std::string& origin) {
  const ata_source recognised = recognise(names);
  if (recognised == ATA_SOURCE_AUTO) {
    fail(ATA_BAD_MODEL, origin,
         " cannot be imported: its tensor names are not those of a timm, CLIP or TimeSformer ",
         "vision transformer",
         names.empty() ? "" : concat("; the first is '", shown(names[0]), "'"));
  }
  Translation result;
  result.source = source == ATA_SOURCE_AUTO ? recognised : source;
  // TimeSformer's names include timm's: a checkpoint of its image-only mode looks like timm's.
  const bool clip = result.source == ATA_SOURCE_CLIP;
  if (clip != (recognised == ATA_SOURCE_CLIP)) {
    fail(ATA_BAD_MODEL, origin, " is not a ", source_name(source), " checkpoint; its names are ",
         source_name(recognised), "'s");
  }
  const bool visual_prefix = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return starts_with(without_wrapper(name), "visual.");
  });
  size_t unused = 0;
  std::string first_unused;
  for (const std::string& wrapped : names) {
    std::string name = without_wrapper(wrapped);
    std::optional<Place> place;
    if (!clip) {
      if (const char* reason = obstacle(name)) {
        fail(ATA_BAD_MODEL, origin, " cannot be imported: ", reason, " ('", shown(wrapped), "')");
      }
      place = from_timm(name);
    } else if (starts_with(name, "vision_model.")) {
      place = from_hugging_face_clip(name.substr(std::string("vision_model.").size()));
    } else if (starts_with(name, "visual.")) {
      place = from_openai_clip(name.substr(std::string("visual.").size()));
    } else if (!visual_prefix) {
      place = from_openai_clip(name);
    }
    if (!place) {
      // What a block holds changes what it computes.
      for (const char* block :
           {"blocks.", "visual.transformer.resblocks.", "vision_model.encoder.layers."}) {
        if (starts_with(name, block)) {
          fail(ATA_BAD_MODEL, origin,
               " cannot be imported: the reference model's blocks have "
               "nothing like '",
               shown(wrapped), "'");
        }
      }
      if (!clip && unused++ == 0) first_unused = wrapped;
      continue;
    }
    std::vector<std::string>& parts = result.parts[place->name];
    parts.resize(place->parts);
    if (!parts[place->part].empty()) {
      fail(ATA_BAD_MODEL, origin, " cannot be imported: '", shown(parts[place->part]), "' and '",
           shown(wrapped), "' are the same tensor");
    }
    parts[place->part] = wrapped;
  }
  if (unused > 0) {
    log(ATA_LOG_WARNING, concat(origin, ": ", unused, " tensors are not used; the first is '",
                                shown(first_unused), "'"));
  }
  return result;
}

}  // namespace ata
