// timm's VisionTransformer, whose names are those of the original DINO, MAE, DeiT and DINOv2 too.
//
// - AugReg's models are normalised by 0.5, DINO's, MAE's and DeiT's as ImageNet's, CLIP's towers as
//   CLIP: no tensor tells, but for a pretraining's own parts and DeiT-3's positions.
// - DeiT-3 gives its class token no position; it and DINOv2 have layer scales, which DeiT's own
//   files call `gamma_1`.
// - Towers of CLIP have `norm_pre` and no bias of the patches. OpenAI's want quick GELU, which timm
//   has only in its models called quickgelu.
#include "model/importers/family.h"
#include "model/importers/translation.h"

namespace ata {
namespace {

FamilyFacts facts(const Translation& names) {
  FamilyFacts facts;
  facts.known_of = "timm's vision transformers";
  const bool clip = names.contains("norm_pre.weight");
  facts.norm_eps = clip ? 1e-5f : 1e-6f;
  if (!clip) facts.activation = ATA_ACTIVATION_GELU;
  facts.activation_question =
      "OpenAI's towers and timm's models called quickgelu have quick_gelu, the others gelu";
  facts.normalization_question =
      "AugReg models have mean and std 0.5; DeiT, DINO and MAE have ImageNet's, 0.485,0.456,0.406 "
      "and 0.229,0.224,0.225; CLIP has its own";
  // MAE's decoder, DINO's projection.
  const bool pretrained = names.left_out("decoder_*") || names.left_out("head.last_layer.*");
  const bool deit3 = names.contains("blocks.0.ls1.gamma") && names.lacks_class_position();
  if (pretrained || deit3) {
    facts.normalization = kImageNet;
    facts.normalization_known_of = pretrained ? "DINO and MAE" : "DeiT-3";
  }
  return facts;
}

}  // namespace

std::vector<NameRule> timm_names() {
  return {{"cls_token", "cls_token"},
          {"pos_embed", "pos_embed"},
          {"patch_embed.proj.weight", "patch_embed.proj.weight"},
          {"patch_embed.proj.bias", "patch_embed.proj.bias"},
          {"blocks.#.norm1.weight", "blocks.#.norm1.weight"},
          {"blocks.#.norm1.bias", "blocks.#.norm1.bias"},
          {"blocks.#.attn.qkv.weight", "blocks.#.attn.qkv.weight"},
          {"blocks.#.attn.qkv.bias", "blocks.#.attn.qkv.bias"},
          {"blocks.#.attn.proj.weight", "blocks.#.attn.proj.weight"},
          {"blocks.#.attn.proj.bias", "blocks.#.attn.proj.bias"},
          {"blocks.#.norm2.weight", "blocks.#.norm2.weight"},
          {"blocks.#.norm2.bias", "blocks.#.norm2.bias"},
          {"blocks.#.mlp.fc1.weight", "blocks.#.mlp.fc1.weight"},
          {"blocks.#.mlp.fc1.bias", "blocks.#.mlp.fc1.bias"},
          {"blocks.#.mlp.fc2.weight", "blocks.#.mlp.fc2.weight"},
          {"blocks.#.mlp.fc2.bias", "blocks.#.mlp.fc2.bias"},
          {"norm.weight", "norm.weight"},
          {"norm.bias", "norm.bias"},
          {"head.weight", "head.weight"},
          {"head.bias", "head.bias"}};
}

const Family& timm_family() {
  static const Family& family = *[] {
    auto* result =
        new Family{.title = "timm's vision transformer",
                   .source = ATA_CHECKPOINT_TIMM,
                   .names = timm_names(),
                   .head_names = {},
                   .anchors = {"cls_token", "patch_embed.proj.weight", "blocks.#.attn.qkv.weight"},
                   .required = {},
                   .marks = {},
                   .harmless = text_tower(),
                   .configs = {ConfigKind::kTimm},
                   .model_types = {},
                   .facts = facts};
    for (const NameRule& rule : std::vector<NameRule>{{"norm_pre.weight", "norm_pre.weight"},
                                                      {"norm_pre.bias", "norm_pre.bias"},
                                                      {"blocks.#.ls1.gamma", "blocks.#.ls1.gamma"},
                                                      {"blocks.#.ls2.gamma", "blocks.#.ls2.gamma"},
                                                      {"blocks.#.gamma_1", "blocks.#.ls1.gamma"},
                                                      {"blocks.#.gamma_2", "blocks.#.ls2.gamma"}}) {
      result->names.push_back(rule);
    }
    constexpr const char* kDecoder = "only pretraining uses the decoder";
    constexpr const char* kProjection = "only self-distillation uses this projection";
    for (const Harmless& harmless : std::vector<Harmless>{
             {"mask_token", "only pretraining masks patches"},
             {"decoder_pos_embed", kDecoder},
             {"decoder_embed.*", kDecoder},
             {"decoder_blocks.*", kDecoder},
             {"decoder_norm.*", kDecoder},
             {"decoder_pred.*", kDecoder},
             {"head.mlp.*", kProjection},
             {"head.last_layer.*", kProjection},
             // The original's file has the network under `backbone.` and this beside it.
             {"head.mlp.*", kProjection, Place::kAround},
             {"head.last_layer.*", kProjection, Place::kAround},
             {"head.proj.weight", "the projection into CLIP's joint space", Place::kAround}}) {
      result->harmless.push_back(harmless);
    }
    return result;
  }();
  return family;
}

}  // namespace ata
