#ifndef ATA_TESTS_NATIVE_TRAIN_TOY_BACKBONE_H_
#define ATA_TESTS_NATIVE_TRAIN_TOY_BACKBONE_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "model/backbone.h"
#include "model/config_fields.h"
#include "ops/patches.h"
#include "ops/rows.h"

namespace ata {

/// A backbone in little, to show what one is made of: a linear layer over patches, then blocks of
/// attention over time and one hidden layer; the head reads the mean of all patches.
struct ToyConfig : BackboneConfig {
  int32_t patch_size = 8;
  int32_t width = 16;
  int32_t blocks = 2;

  const char* architecture() const override { return "toy"; }
  int32_t dim() const override { return width; }
  int32_t depth() const override { return blocks; }
  int32_t grid(int32_t image_size) const override { return image_size / patch_size; }

  void read(ConfigFields& fields) override {
    fields.optional("patch_size", &patch_size);
    fields.optional("width", &width);
    fields.optional("blocks", &blocks);
  }
  void write(nlohmann::ordered_json& json) const override {
    json["patch_size"] = patch_size;
    json["width"] = width;
    json["blocks"] = blocks;
  }
  void check(const ConfigCheck& check, const ModelConfig& config) const override {
    check.range("patch_size", patch_size, ATA_MAX_IMAGE_SIZE);
    check.range("width", width, ATA_MAX_DIM);
    check.range("blocks", blocks, ATA_MAX_DEPTH);
    check.require(config.image_size % patch_size == 0, "image_size is ", config.image_size,
                  ", not a multiple of patch_size, which is ", patch_size);
    check.require(has_temporal_step(config.temporal), "temporal is '",
                  temporal_mode_name(config.temporal), "'; toys have 'ata' and 'divided'");
  }
  std::unique_ptr<const Backbone> build(const ModelConfig& config,
                                        ParameterWalk& walk) const override;
};

class Toy : public Backbone {
 public:
  Toy(const ToyConfig& toy, ParameterWalk& walk) : toy_(toy) {
    const int64_t width = toy.width;
    const LinearDeclaration inner = {.deviation = matrix_deviation(width)};
    walk.begin_layer(0);
    embed_ = walk.linear("embed", width, int64_t{3} * toy.patch_size * toy.patch_size, inner);
    for (int i = 0; i < toy.blocks; ++i) {
      walk.begin_layer(1 + i);
      const std::string prefix = concat("blocks.", i, ".");
      Block block;
      block.temporal = declare_temporal_weights(walk, prefix, width);
      block.norm = walk.norm(prefix + "norm", width);
      block.hidden = walk.linear(prefix + "hidden", 2 * width, width, inner);
      block.output = walk.linear(prefix + "output", width, 2 * width, inner);
      blocks_.push_back(std::move(block));
    }
  }

  Variable embed(BackbonePass& pass, const Variable& clip) const override {
    const Variable pixels = extract_patches(pass.context, clip, toy_.patch_size, pass.compute);
    return linear(pass.context, pixels, embed_);
  }

  Variable block(BackbonePass& pass, const Variable& tokens, int64_t index,
                 const Tensor& known_result) const override {
    const Block& block = blocks_[static_cast<size_t>(index)];
    const Context& context = pass.context;
    const Variable x = pass.temporal.run(context, pass.training, tokens, pass.layout,
                                         {.weights = block.temporal, .heads = 2, .block = index});
    Variable y = layer_norm(context, x, block.norm.gamma, block.norm.beta, pass.compute);
    y = linear(context, y, block.hidden,
               {.out_dtype = pass.compute, .activation = Activation::kGelu});
    const Tensor rows = pass.training.drop_path(context, index, toy_.blocks, DrawSite::kMlpBranch,
                                                pass.layout.clips, pass.layout.patch_rows(),
                                                /*class_rows=*/0);
    return add_branch(context, pass.training, y, block.output,
                      {.residual = x,
                       .row_scale = rows,
                       .block = index,
                       .site = DrawSite::kMlpOutput,
                       .known_result = known_result});
  }

  Variable class_token(BackbonePass& pass, const Variable& tokens, Variable* last) const override {
    const Variable result = block(pass, tokens, toy_.blocks - 1, Tensor());
    if (last != nullptr) *last = result;
    return mean_rows(pass.context, result, pass.layout.frames * pass.layout.patches);
  }

  Variable patch_rows(const BackbonePass&, const Variable& tokens) const override { return tokens; }

 private:
  struct Block {
    TemporalWeights temporal;
    NormWeights norm;
    LinearWeights hidden;
    LinearWeights output;
  };
  ToyConfig toy_;
  LinearWeights embed_;
  std::vector<Block> blocks_;
};

inline std::unique_ptr<const Backbone> ToyConfig::build(const ModelConfig&,
                                                        ParameterWalk& walk) const {
  return std::make_unique<Toy>(*this, walk);
}

}  // namespace ata

#endif  // ATA_TESTS_NATIVE_TRAIN_TOY_BACKBONE_H_
