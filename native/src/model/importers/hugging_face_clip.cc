// The visual tower of CLIP as Hugging Face has it.
//
// - The same networks as OpenAI's and OpenCLIP's: `hidden_act` of config.json says which GELU.
// - Its classifier for images averages the patches, which no head of the reference model does.
#include "model/importers/family.h"
#include "model/importers/translation.h"

namespace ata {
namespace {

FamilyFacts facts(const Translation&) {
  FamilyFacts facts;
  facts.norm_eps = 1e-5f;
  facts.normalization = kClip;
  facts.known_of = "CLIP";
  facts.normalization_known_of = "OpenAI's and most of OpenCLIP's, of which a few have 0.5";
  facts.activation_question =
      "OpenAI's models have quick_gelu, most of LAION's gelu; hidden_act of its config.json says "
      "it";
  return facts;
}

}  // namespace

const Family& hugging_face_clip_family() {
  static const Family& family = *new Family{
      .title = "Hugging Face's CLIP",
      .source = ATA_CHECKPOINT_CLIP,
      .names = {{"embeddings.class_embedding", "cls_token"},
                {"embeddings.position_embedding.weight", "pos_embed"},
                {"embeddings.patch_embedding.weight", "patch_embed.proj.weight"},
                {"embeddings.patch_embedding.bias", "patch_embed.proj.bias"},
                // The misspelling is in the checkpoints.
                {"pre_layrnorm.weight", "norm_pre.weight"},
                {"pre_layrnorm.bias", "norm_pre.bias"},
                {"encoder.layers.#.layer_norm1.weight", "blocks.#.norm1.weight"},
                {"encoder.layers.#.layer_norm1.bias", "blocks.#.norm1.bias"},
                {"encoder.layers.#.self_attn.q_proj.weight", "blocks.#.attn.qkv.weight", 0, 3},
                {"encoder.layers.#.self_attn.q_proj.bias", "blocks.#.attn.qkv.bias", 0, 3},
                {"encoder.layers.#.self_attn.k_proj.weight", "blocks.#.attn.qkv.weight", 1, 3},
                {"encoder.layers.#.self_attn.k_proj.bias", "blocks.#.attn.qkv.bias", 1, 3},
                {"encoder.layers.#.self_attn.v_proj.weight", "blocks.#.attn.qkv.weight", 2, 3},
                {"encoder.layers.#.self_attn.v_proj.bias", "blocks.#.attn.qkv.bias", 2, 3},
                {"encoder.layers.#.self_attn.out_proj.weight", "blocks.#.attn.proj.weight"},
                {"encoder.layers.#.self_attn.out_proj.bias", "blocks.#.attn.proj.bias"},
                {"encoder.layers.#.layer_norm2.weight", "blocks.#.norm2.weight"},
                {"encoder.layers.#.layer_norm2.bias", "blocks.#.norm2.bias"},
                {"encoder.layers.#.mlp.fc1.weight", "blocks.#.mlp.fc1.weight"},
                {"encoder.layers.#.mlp.fc1.bias", "blocks.#.mlp.fc1.bias"},
                {"encoder.layers.#.mlp.fc2.weight", "blocks.#.mlp.fc2.weight"},
                {"encoder.layers.#.mlp.fc2.bias", "blocks.#.mlp.fc2.bias"},
                {"post_layernorm.weight", "norm.weight"},
                {"post_layernorm.bias", "norm.bias"}},
      .head_names = {},
      .anchors = {"embeddings.class_embedding", "embeddings.patch_embedding.weight"},
      .required = {"norm_pre.weight", "blocks.#.attn.qkv.bias"},
      .marks = {},
      .harmless = {{"embeddings.position_ids", "the numbers of the positions, in their order"},
                   {"text_model.*", "the text tower", Place::kAround},
                   {"text_projection.weight", "the text tower", Place::kAround},
                   {"visual_projection.weight", "the projection into the space shared with texts",
                    Place::kAround},
                   {"logit_scale", "only comparing with texts uses it", Place::kAround}},
      .configs = {ConfigKind::kHuggingFace, ConfigKind::kOpenClip},
      .model_types = {"clip", "clip_vision_model"},
      .facts = facts};
  return family;
}

}  // namespace ata
