// What the importers refuse, by the names of its tensors: whole networks of other kinds, and parts
// of vision transformers that the reference model does not have.
#include "base/error.h"
#include "base/glob.h"
#include "model/importers/family.h"

namespace ata {
namespace {

struct Network {
  const char* pattern;
  const char* name;
  const char* reason;
};

constexpr const char* kTubes = "its patches span several frames";
constexpr const char* kNoTransformer = "it is not a vision transformer";

constexpr Network kNetworks[] = {
    {"*encoder_to_decoder.*", "VideoMAE", kTubes},
    {"*videomae.*", "VideoMAE", kTubes},
    {"*vivit.*", "ViViT", kTubes},
    {"*videoprism*", "VideoPrism", kTubes},
    {"*vjepa*", "V-JEPA", kTubes},
    {"*attn.relative_position_bias_table", "BEiT or Swin",
     "its attention has biases of relative positions"},
    {"*relative_position_bias.relative_position_bias_table", "BEiT",
     "its attention has biases of relative positions"},
    {"*relative_position_bias_table", "BEiT or Swin",
     "its attention has biases of relative positions"},
    {"*attn.q_bias", "BEiT or VideoMAE", "its attention has biases of queries and values alone"},
    {"*head.probe", "SigLIP", "it pools patches by attention and has no class token"},
    {"*logit_bias", "SigLIP", "it pools patches by attention and has no class token"},
    {"*attn.rel_pos_h", "MViT or SAM", "its attention has biases of relative positions"},
    {"*attn.pool_q.*", "MViT", "it pools inside the attention"},
    {"*dwconv.*", "ConvNeXt or another network of convolutions", kNoTransformer},
    {"*conv_dw.*", "ConvNeXt or another network of convolutions", kNoTransformer},
    {"*running_mean", "a network with batch norms (ResNet, X3D, SlowFast, I3D)", kNoTransformer},
    {"*rope_embed.*", "DINOv3", "its attention rotates by positions"},
    {"*rope_embeddings.*", "DINOv3", "its attention rotates by positions"},
    {"*bert.*", "BERT", kNoTransformer},
};

struct Part {
  const char* pattern;
  const char* reason;
};

constexpr const char* kRegisters = "is a register token, of which the reference model has none";
constexpr const char* kDistilled =
    "belongs to a distillation token, which the reference model does not have";
constexpr const char* kGated = "belongs to a gated MLP (SwiGLU), which the reference model lacks";
constexpr const char* kLora =
    "is a LoRA adapter beside the weights; merge it first (merge_and_unload() of peft)";
constexpr const char* kQuantised = "belongs to quantised weights; export them as floating point";

constexpr Part kParts[] = {
    {"*register_tokens", kRegisters},
    {"*reg_token", kRegisters},
    {"*dist_token", kDistilled},
    {"*distillation_token", kDistilled},
    {"*head_dist.*", kDistilled},
    {"*distillation_classifier.*", kDistilled},
    {"*cls_classifier.*", kDistilled},
    {"*fc_norm.*",
     "normalises the mean of the patches; the reference model classifies by a class token"},
    {"*pre_logits.*", "belongs to a layer before the head, which the reference model lacks"},
    {"*attn_pool.*", "pools the patches by attention; the reference model reads the class token"},
    {"*lora_*", kLora},
    {"*base_layer.*", kLora},
    {"*rel_pos*", "is a bias of relative positions, which the reference model lacks"},
    {"*relative_position*", "is a bias of relative positions, which the reference model lacks"},
    {"*v_bias", "is a bias of the values alone"},
    {"*q_norm.*", "normalises queries, which the reference model does not"},
    {"*k_norm.*", "normalises keys, which the reference model does not"},
    {"*rope*", "rotates queries and keys by positions, which the reference model does not"},
    {"*freqs_cis", "rotates queries and keys by positions, which the reference model does not"},
    {"*mlp.w1.*", kGated},
    {"*mlp.w2.*", kGated},
    {"*mlp.w3.*", kGated},
    {"*mlp.w12.*", kGated},
    {"*mlp.weights_in.*", kGated},
    {"*mlp.weights_out.*", kGated},
    {"*mlp.fc1_g.*", kGated},
    {"*qweight", kQuantised},
    {"*qzeros", kQuantised},
    {"*.absmax", kQuantised},
    {"*.SCB", kQuantised},
    {"*blocks.*.*.norm1.*",
     "lies in a chunk of blocks; save DINOv2 with block_chunks=0, as its published files are"},
};

}  // namespace

std::string obstacle(const std::string& name) {
  for (const Part& part : kParts) {
    if (glob_matches(part.pattern, name)) return part.reason;
  }
  return "";
}

std::string other_network(const std::string& name, size_t rank) {
  for (const Network& network : kNetworks) {
    if (glob_matches(network.pattern, name)) {
      return concat(network.name, " (it has '", name, "'): ", network.reason);
    }
  }
  // Patches of pictures have four axes.
  const bool patches = glob_matches("*patch_embed*.proj*.weight", name) ||
                       glob_matches("*conv1.weight", name) ||
                       glob_matches("*patch_embedding.weight", name);
  if (patches && rank == 5) {
    return concat("VideoMAE, ViViT or their like ('", name, "' has 5 axes): ", kTubes);
  }
  return "";
}

const std::vector<const Family*>& all_families() {
  static const auto& families = *new std::vector<const Family*>{
      &dinov2_family(),           &timm_family(),
      &timesformer_family(),      &hugging_face_dinov2_family(),
      &hugging_face_vit_family(), &hugging_face_timesformer_family(),
      &openai_clip_family(),      &hugging_face_clip_family()};
  return families;
}

}  // namespace ata
