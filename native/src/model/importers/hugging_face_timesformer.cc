// TimeSformer as Hugging Face has it: the same networks under other names.
//
// - As in the original, what a file has tells its mode, if config.json does not.
// - A classifier of mode `space_only` gives logits of each frame there; the original and Ata first
//   average the frames' class tokens.
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

}  // namespace

const Family& hugging_face_timesformer_family() {
  static const Family& family = *new Family{
      .title = "Hugging Face's TimeSformer",
      .source = ATA_CHECKPOINT_TIMESFORMER,
      .names = {{"embeddings.cls_token", "cls_token"},
                {"embeddings.position_embeddings", "pos_embed"},
                {"embeddings.time_embeddings", "time_embed"},
                {"embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight"},
                {"embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias"},
                {"encoder.layer.#.temporal_layernorm.weight", "blocks.#.temporal_norm1.weight"},
                {"encoder.layer.#.temporal_layernorm.bias", "blocks.#.temporal_norm1.bias"},
                {"encoder.layer.#.temporal_attention.attention.qkv.weight",
                 "blocks.#.temporal_attn.qkv.weight"},
                {"encoder.layer.#.temporal_attention.attention.qkv.bias",
                 "blocks.#.temporal_attn.qkv.bias"},
                {"encoder.layer.#.temporal_attention.output.dense.weight",
                 "blocks.#.temporal_attn.proj.weight"},
                {"encoder.layer.#.temporal_attention.output.dense.bias",
                 "blocks.#.temporal_attn.proj.bias"},
                {"encoder.layer.#.temporal_dense.weight", "blocks.#.temporal_fc.weight"},
                {"encoder.layer.#.temporal_dense.bias", "blocks.#.temporal_fc.bias"},
                {"encoder.layer.#.layernorm_before.weight", "blocks.#.norm1.weight"},
                {"encoder.layer.#.layernorm_before.bias", "blocks.#.norm1.bias"},
                {"encoder.layer.#.attention.attention.qkv.weight", "blocks.#.attn.qkv.weight"},
                {"encoder.layer.#.attention.attention.qkv.bias", "blocks.#.attn.qkv.bias"},
                {"encoder.layer.#.attention.output.dense.weight", "blocks.#.attn.proj.weight"},
                {"encoder.layer.#.attention.output.dense.bias", "blocks.#.attn.proj.bias"},
                {"encoder.layer.#.layernorm_after.weight", "blocks.#.norm2.weight"},
                {"encoder.layer.#.layernorm_after.bias", "blocks.#.norm2.bias"},
                {"encoder.layer.#.intermediate.dense.weight", "blocks.#.mlp.fc1.weight"},
                {"encoder.layer.#.intermediate.dense.bias", "blocks.#.mlp.fc1.bias"},
                {"encoder.layer.#.output.dense.weight", "blocks.#.mlp.fc2.weight"},
                {"encoder.layer.#.output.dense.bias", "blocks.#.mlp.fc2.bias"},
                {"layernorm.weight", "norm.weight"},
                {"layernorm.bias", "norm.bias"}},
      .head_names = {{"classifier.weight", "head.weight"}, {"classifier.bias", "head.bias"}},
      .anchors = {"embeddings.cls_token", "embeddings.patch_embeddings.projection.weight",
                  "encoder.layer.#.attention.attention.qkv.weight"},
      .required = {"patch_embed.proj.bias"},
      .marks = {"*attention.attention.qkv.weight"},
      .harmless = {},
      .configs = {ConfigKind::kHuggingFace},
      .model_types = {"timesformer"},
      .facts = facts};
  return family;
}

}  // namespace ata
