// DINOv2, under its own names, which are timm's with a mask token, and under Hugging Face's.
//
// - Layer scales follow both branches. The models called `reg` have register tokens, and the
//   largest ones a gated MLP: the reference model has neither.
// - Its positions are those of 37 x 37 patches; it is mostly run on fewer.
// - Hugging Face's classifier reads the class token beside the mean of the patches, which no head
//   of the reference model does.
#include "model/importers/family.h"
#include "model/importers/translation.h"

namespace ata {
namespace {

FamilyFacts facts(const Translation&) {
  FamilyFacts facts;
  facts.activation = ATA_ACTIVATION_GELU;
  facts.norm_eps = 1e-6f;
  facts.normalization = kImageNet;
  facts.known_of = "DINOv2";
  return facts;
}

}  // namespace

const Family& dinov2_family() {
  static const Family& family = *[] {
    auto* result =
        new Family{.title = "DINOv2",
                   .source = ATA_CHECKPOINT_DINOV2,
                   .names = timm_names(),
                   .head_names = {},
                   .anchors = {"cls_token", "patch_embed.proj.weight", "blocks.#.attn.qkv.weight"},
                   .required = {"blocks.#.ls1.gamma"},
                   .marks = {"mask_token", "blocks.*.ls1.gamma"},
                   .harmless = {{"mask_token", "only pretraining masks patches"}},
                   .configs = {ConfigKind::kHuggingFace},
                   .model_types = {"dinov2"},
                   .facts = facts};
    result->names.push_back({"blocks.#.ls1.gamma", "blocks.#.ls1.gamma"});
    result->names.push_back({"blocks.#.ls2.gamma", "blocks.#.ls2.gamma"});
    return result;
  }();
  return family;
}

const Family& hugging_face_dinov2_family() {
  static const Family& family = *new Family{
      .title = "Hugging Face's DINOv2",
      .source = ATA_CHECKPOINT_DINOV2,
      .names =
          {{"embeddings.cls_token", "cls_token"},
           {"embeddings.position_embeddings", "pos_embed"},
           {"embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight"},
           {"embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias"},
           {"encoder.layer.#.norm1.weight", "blocks.#.norm1.weight"},
           {"encoder.layer.#.norm1.bias", "blocks.#.norm1.bias"},
           {"encoder.layer.#.attention.attention.query.weight", "blocks.#.attn.qkv.weight", 0, 3},
           {"encoder.layer.#.attention.attention.query.bias", "blocks.#.attn.qkv.bias", 0, 3},
           {"encoder.layer.#.attention.attention.key.weight", "blocks.#.attn.qkv.weight", 1, 3},
           {"encoder.layer.#.attention.attention.key.bias", "blocks.#.attn.qkv.bias", 1, 3},
           {"encoder.layer.#.attention.attention.value.weight", "blocks.#.attn.qkv.weight", 2, 3},
           {"encoder.layer.#.attention.attention.value.bias", "blocks.#.attn.qkv.bias", 2, 3},
           {"encoder.layer.#.attention.output.dense.weight", "blocks.#.attn.proj.weight"},
           {"encoder.layer.#.attention.output.dense.bias", "blocks.#.attn.proj.bias"},
           // As transformers 5 calls them in memory.
           {"encoder.layer.#.attention.q_proj.weight", "blocks.#.attn.qkv.weight", 0, 3},
           {"encoder.layer.#.attention.q_proj.bias", "blocks.#.attn.qkv.bias", 0, 3},
           {"encoder.layer.#.attention.k_proj.weight", "blocks.#.attn.qkv.weight", 1, 3},
           {"encoder.layer.#.attention.k_proj.bias", "blocks.#.attn.qkv.bias", 1, 3},
           {"encoder.layer.#.attention.v_proj.weight", "blocks.#.attn.qkv.weight", 2, 3},
           {"encoder.layer.#.attention.v_proj.bias", "blocks.#.attn.qkv.bias", 2, 3},
           {"encoder.layer.#.attention.o_proj.weight", "blocks.#.attn.proj.weight"},
           {"encoder.layer.#.attention.o_proj.bias", "blocks.#.attn.proj.bias"},
           {"encoder.layer.#.layer_scale1.lambda1", "blocks.#.ls1.gamma"},
           {"encoder.layer.#.norm2.weight", "blocks.#.norm2.weight"},
           {"encoder.layer.#.norm2.bias", "blocks.#.norm2.bias"},
           {"encoder.layer.#.mlp.fc1.weight", "blocks.#.mlp.fc1.weight"},
           {"encoder.layer.#.mlp.fc1.bias", "blocks.#.mlp.fc1.bias"},
           {"encoder.layer.#.mlp.fc2.weight", "blocks.#.mlp.fc2.weight"},
           {"encoder.layer.#.mlp.fc2.bias", "blocks.#.mlp.fc2.bias"},
           {"encoder.layer.#.layer_scale2.lambda1", "blocks.#.ls2.gamma"},
           {"layernorm.weight", "norm.weight"},
           {"layernorm.bias", "norm.bias"}},
      .head_names = {},
      .anchors = {"embeddings.cls_token", "embeddings.patch_embeddings.projection.weight",
                  "encoder.layer.#.norm1.weight"},
      .required = {"blocks.#.ls1.gamma"},
      .marks = {"*layer_scale1.lambda1"},
      .harmless = {{"embeddings.mask_token", "only pretraining masks patches"}},
      .configs = {ConfigKind::kHuggingFace},
      .model_types = {"dinov2"},
      .facts = facts};
  return family;
}

}  // namespace ata
