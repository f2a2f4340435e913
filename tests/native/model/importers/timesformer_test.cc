#include <gtest/gtest.h>

#include "../import_fixture.h"

namespace ata {
namespace {

class TimeSformerImportTest : public ImportTest {};

TEST_F(TimeSformerImportTest, ComesBackWhole) {
  const Fixture video("tiny-divided");
  write(parameters_of(video, "model."));
  options_.temporal = ATA_TEMPORAL_DIVIDED;
  const auto model = import();
  EXPECT_EQ(model->config().frames, 4);
  EXPECT_LT(largest_difference(Session(model).forward(video.get("clip")), video.get("logits")),
            1e-4);
  options_.source = ATA_CHECKPOINT_TIMESFORMER;
  options_.frames = 8;
  const auto longer = import();
  EXPECT_EQ(longer->parameters().tensor("time_embed").shape(), (Shape{1, 8, 48}));
  EXPECT_EQ(longer->parameters().tensor("time_embed").data<float>()[48],
            video.parameters.tensor("time_embed").data<float>()[0]);
}

TEST_F(TimeSformerImportTest, RejectsIncompleteCheckpoints) {
  const NamedTensors whole = parameters_of(Fixture("tiny-divided"));
  for (const auto& [name, tensor] : whole) {
    if (name.ends_with("attn.qkv.bias")) continue;  // Its fellow in the other attention is named.
    EXPECT_MENTIONS(rejection_without(whole, name), "'" + name + "' is missing");
  }
  EXPECT_MENTIONS(rejection_without(whole, "blocks.0.attn.qkv.bias"), "qkv.bias' is missing");
}

}  // namespace
}  // namespace ata
