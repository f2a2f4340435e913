// The visual tower of CLIP under OpenAI's names, which OpenCLIP has too.
//
// - OpenAI's networks and some of OpenCLIP's compute quick GELU, the others GELU; names and shapes
//   are the same. Only the scripted archive that OpenAI published has the three numbers about the
//   text tower among its tensors.
// - OpenCLIP's layer scales (`ls_1`) are folded; its attentional pooling is refused.
// - Layer norms add 1e-5. `proj`, into the space shared with texts, is left out: the head takes its
//   place.
#include "model/importers/family.h"
#include "model/importers/translation.h"

namespace ata {
namespace {

FamilyFacts facts(const Translation& names) {
  FamilyFacts facts;
  facts.norm_eps = 1e-5f;
  facts.normalization = kClip;
  facts.known_of = "CLIP";
  facts.normalization_known_of = "OpenAI's and most of OpenCLIP's, of which a few have 0.5";
  if (names.left_out("input_resolution")) facts.activation = ATA_ACTIVATION_QUICK_GELU;
  facts.activation_question =
      "OpenAI's models and OpenCLIP's called quickgelu have quick_gelu, OpenCLIP's others gelu";
  return facts;
}

}  // namespace

std::vector<Harmless> text_tower() {
  constexpr const char* kText = "the text tower";
  constexpr const char* kArchive = "a number about the text tower or the input";
  return {{"transformer.resblocks.*", kText, Place::kAround},
          {"token_embedding.weight", kText, Place::kAround},
          {"positional_embedding", kText, Place::kAround},
          {"ln_final.*", kText, Place::kAround},
          {"text.*", kText, Place::kAround},
          {"text_projection", kText, Place::kAround},
          {"text_projection.*", kText, Place::kAround},
          {"attn_mask", kText, Place::kAround},
          {"logit_scale", "only comparing with texts uses it", Place::kAround},
          {"logit_bias", "only comparing with texts uses it", Place::kAround},
          {"input_resolution", kArchive, Place::kAround},
          {"context_length", kArchive, Place::kAround},
          {"vocab_size", kArchive, Place::kAround}};
}

const Family& openai_clip_family() {
  static const Family& family = *[] {
    auto* result = new Family{
        .title = "CLIP",
        .source = ATA_CHECKPOINT_CLIP,
        .names = {{"class_embedding", "cls_token"},
                  {"positional_embedding", "pos_embed"},
                  {"conv1.weight", "patch_embed.proj.weight"},
                  {"conv1.bias", "patch_embed.proj.bias"},
                  {"ln_pre.weight", "norm_pre.weight"},
                  {"ln_pre.bias", "norm_pre.bias"},
                  {"transformer.resblocks.#.ln_1.weight", "blocks.#.norm1.weight"},
                  {"transformer.resblocks.#.ln_1.bias", "blocks.#.norm1.bias"},
                  {"transformer.resblocks.#.attn.in_proj_weight", "blocks.#.attn.qkv.weight"},
                  {"transformer.resblocks.#.attn.in_proj_bias", "blocks.#.attn.qkv.bias"},
                  {"transformer.resblocks.#.attn.out_proj.weight", "blocks.#.attn.proj.weight"},
                  {"transformer.resblocks.#.attn.out_proj.bias", "blocks.#.attn.proj.bias"},
                  {"transformer.resblocks.#.ls_1.gamma", "blocks.#.ls1.gamma"},
                  {"transformer.resblocks.#.ln_2.weight", "blocks.#.norm2.weight"},
                  {"transformer.resblocks.#.ln_2.bias", "blocks.#.norm2.bias"},
                  {"transformer.resblocks.#.mlp.c_fc.weight", "blocks.#.mlp.fc1.weight"},
                  {"transformer.resblocks.#.mlp.c_fc.bias", "blocks.#.mlp.fc1.bias"},
                  {"transformer.resblocks.#.mlp.c_proj.weight", "blocks.#.mlp.fc2.weight"},
                  {"transformer.resblocks.#.mlp.c_proj.bias", "blocks.#.mlp.fc2.bias"},
                  {"transformer.resblocks.#.ls_2.gamma", "blocks.#.ls2.gamma"},
                  {"ln_post.weight", "norm.weight"},
                  {"ln_post.bias", "norm.bias"}},
        .head_names = {},
        .anchors = {"class_embedding", "conv1.weight"},
        .required = {"norm_pre.weight", "blocks.#.attn.qkv.bias"},
        .marks = {},
        .harmless = text_tower(),
        .configs = {ConfigKind::kOpenClip, ConfigKind::kHuggingFace},
        .model_types = {"clip", "clip_vision_model"},
        .facts = facts};
    result->harmless.push_back({"proj", "the projection into the space shared with texts"});
    return result;
  }();
  return family;
}

}  // namespace ata
