// TimeSformer, whose names the reference model has, and Ata's own checkpoints.
//
// - The three modes differ in what is there: `divided` has temporal weights and a time embedding,
//   `joint` a time embedding alone. `space_only` has neither and looks like timm's vision
//   transformer, so that it must be asked for (--from timesformer).
#include "model/importers/family.h"
#include "model/importers/translation.h"

namespace ata {
namespace {

FamilyFacts facts(const Translation& names) {
  FamilyFacts facts;
  facts.activation = ATA_ACTIVATION_GELU;
  facts.norm_eps = 1e-6f;
  facts.normalization = kTimeSformer;
  facts.known_of = "TimeSformer";
  facts.temporal = names.temporal_mode();
  return facts;
}

// Everything is in the file's own configuration.
FamilyFacts no_facts(const Translation&) {
  return {};
}

std::vector<NameRule> joined(std::vector<NameRule> names, const std::vector<NameRule>& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

}  // namespace

std::vector<NameRule> timesformer_names() {
  return {{"time_embed", "time_embed"},
          {"blocks.#.temporal_norm1.weight", "blocks.#.temporal_norm1.weight"},
          {"blocks.#.temporal_norm1.bias", "blocks.#.temporal_norm1.bias"},
          {"blocks.#.temporal_attn.qkv.weight", "blocks.#.temporal_attn.qkv.weight"},
          {"blocks.#.temporal_attn.qkv.bias", "blocks.#.temporal_attn.qkv.bias"},
          {"blocks.#.temporal_attn.proj.weight", "blocks.#.temporal_attn.proj.weight"},
          {"blocks.#.temporal_attn.proj.bias", "blocks.#.temporal_attn.proj.bias"},
          {"blocks.#.temporal_fc.weight", "blocks.#.temporal_fc.weight"},
          {"blocks.#.temporal_fc.bias", "blocks.#.temporal_fc.bias"}};
}

const Family& timesformer_family() {
  static const Family& family =
      *new Family{.title = "TimeSformer",
                  .source = ATA_CHECKPOINT_TIMESFORMER,
                  .names = joined(timm_names(), timesformer_names()),
                  .head_names = {},
                  .anchors = {"cls_token", "patch_embed.proj.weight", "blocks.#.attn.qkv.weight"},
                  .required = {"patch_embed.proj.bias"},
                  .marks = {},
                  .harmless = {},
                  .configs = {ConfigKind::kHuggingFace},
                  .model_types = {"timesformer"},
                  .facts = facts};
  return family;
}

const Family& ata_family() {
  static const Family& family = *new Family{
      .title = "Ata",
      .source = ATA_CHECKPOINT_AUTO,
      .names = joined(joined(timm_names(), timesformer_names()),
                      {{"norm_pre.weight", "norm_pre.weight"}, {"norm_pre.bias", "norm_pre.bias"}}),
      .head_names = {},
      .anchors = {},
      .required = {"patch_embed.proj.bias", "blocks.#.attn.qkv.bias"},
      .marks = {},
      .harmless = {},
      .configs = {},
      .model_types = {},
      .facts = no_facts};
  return family;
}

}  // namespace ata
