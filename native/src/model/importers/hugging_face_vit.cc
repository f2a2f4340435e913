// Hugging Face's ViT, which its DeiT and MAE are too.
//
// - Layer norms add 1e-12, where everybody else adds 1e-6 or 1e-5.
// - transformers 5 has other names in memory than in the files that it writes; both are read.
// - MAE's file has a decoder, which tells ImageNet's normalisation; DINO's ViTs look like Google's,
//   which are normalised by 0.5.
#include "model/importers/family.h"
#include "model/importers/translation.h"

namespace ata {
namespace {

FamilyFacts facts(const Translation& names) {
  FamilyFacts facts;
  facts.activation = ATA_ACTIVATION_GELU;
  facts.norm_eps = 1e-12f;
  facts.known_of = "Hugging Face's ViT";
  facts.normalization_question =
      "Google's models have mean and std 0.5; DINO, DeiT and MAE have ImageNet's, "
      "0.485,0.456,0.406 and 0.229,0.224,0.225";
  if (names.left_out("decoder.decoder_*")) {
    facts.normalization = kImageNet;
    facts.normalization_known_of = "MAE";
  }
  return facts;
}

}  // namespace

const Family& hugging_face_vit_family() {
  static const Family& family = *new Family{
      .title = "Hugging Face's ViT",
      .source = ATA_CHECKPOINT_HF_VIT,
      .names =
          {{"embeddings.cls_token", "cls_token"},
           {"embeddings.position_embeddings", "pos_embed"},
           {"embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight"},
           {"embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias"},
           {"encoder.layer.#.layernorm_before.weight", "blocks.#.norm1.weight"},
           {"encoder.layer.#.layernorm_before.bias", "blocks.#.norm1.bias"},
           {"encoder.layer.#.attention.attention.query.weight", "blocks.#.attn.qkv.weight", 0, 3},
           {"encoder.layer.#.attention.attention.query.bias", "blocks.#.attn.qkv.bias", 0, 3},
           {"encoder.layer.#.attention.attention.key.weight", "blocks.#.attn.qkv.weight", 1, 3},
           {"encoder.layer.#.attention.attention.key.bias", "blocks.#.attn.qkv.bias", 1, 3},
           {"encoder.layer.#.attention.attention.value.weight", "blocks.#.attn.qkv.weight", 2, 3},
           {"encoder.layer.#.attention.attention.value.bias", "blocks.#.attn.qkv.bias", 2, 3},
           {"encoder.layer.#.attention.output.dense.weight", "blocks.#.attn.proj.weight"},
           {"encoder.layer.#.attention.output.dense.bias", "blocks.#.attn.proj.bias"},
           {"encoder.layer.#.layernorm_after.weight", "blocks.#.norm2.weight"},
           {"encoder.layer.#.layernorm_after.bias", "blocks.#.norm2.bias"},
           {"encoder.layer.#.intermediate.dense.weight", "blocks.#.mlp.fc1.weight"},
           {"encoder.layer.#.intermediate.dense.bias", "blocks.#.mlp.fc1.bias"},
           {"encoder.layer.#.output.dense.weight", "blocks.#.mlp.fc2.weight"},
           {"encoder.layer.#.output.dense.bias", "blocks.#.mlp.fc2.bias"},
           // As transformers 5 calls them in memory.
           {"layers.#.layernorm_before.weight", "blocks.#.norm1.weight"},
           {"layers.#.layernorm_before.bias", "blocks.#.norm1.bias"},
           {"layers.#.attention.q_proj.weight", "blocks.#.attn.qkv.weight", 0, 3},
           {"layers.#.attention.q_proj.bias", "blocks.#.attn.qkv.bias", 0, 3},
           {"layers.#.attention.k_proj.weight", "blocks.#.attn.qkv.weight", 1, 3},
           {"layers.#.attention.k_proj.bias", "blocks.#.attn.qkv.bias", 1, 3},
           {"layers.#.attention.v_proj.weight", "blocks.#.attn.qkv.weight", 2, 3},
           {"layers.#.attention.v_proj.bias", "blocks.#.attn.qkv.bias", 2, 3},
           {"layers.#.attention.o_proj.weight", "blocks.#.attn.proj.weight"},
           {"layers.#.attention.o_proj.bias", "blocks.#.attn.proj.bias"},
           {"layers.#.layernorm_after.weight", "blocks.#.norm2.weight"},
           {"layers.#.layernorm_after.bias", "blocks.#.norm2.bias"},
           {"layers.#.mlp.fc1.weight", "blocks.#.mlp.fc1.weight"},
           {"layers.#.mlp.fc1.bias", "blocks.#.mlp.fc1.bias"},
           {"layers.#.mlp.fc2.weight", "blocks.#.mlp.fc2.weight"},
           {"layers.#.mlp.fc2.bias", "blocks.#.mlp.fc2.bias"},
           {"layernorm.weight", "norm.weight"},
           {"layernorm.bias", "norm.bias"}},
      .head_names = {{"classifier.weight", "head.weight"}, {"classifier.bias", "head.bias"}},
      .anchors = {"embeddings.cls_token", "embeddings.patch_embeddings.projection.weight",
                  "encoder.layer.#.layernorm_before.weight", "layers.#.layernorm_before.weight"},
      .required = {},
      .marks = {},
      .harmless = {{"embeddings.mask_token", "only pretraining masks patches"},
                   {"pooler.dense.*", "the classifier reads the class token without the pooler"},
                   {"decoder.*", "only pretraining uses the decoder", Place::kAround}},
      .configs = {ConfigKind::kHuggingFace},
      .model_types = {"vit", "deit", "vit_mae"},
      .facts = facts};
  return family;
}

}  // namespace ata
