// A worked example: a backbone that is not the library's, from its registration to a loaded model.
#include "toy_backbone.h"

#include <gtest/gtest.h>

#include "../model/fixture.h"
#include "model/session.h"
#include "train/trainer.h"
#include "training.h"

namespace ata {
namespace {

class ToyBackbone : public ModelFileTest, OneThread {
 protected:
  static void SetUpTestSuite() {
    // Tests run once for each device.
    static const bool registered =
        (register_architecture({"toy", [] { return std::make_shared<ToyConfig>(); }}), true);
    ASSERT_TRUE(registered);
  }

  static ModelConfig config() {
    ModelConfig config;
    config.backbone = new_backbone_config("toy");
    config.image_size = 32;
    config.frames = 3;
    config.classes = 2;
    return config;
  }
};

TEST_F(ToyBackbone, IsTrainedSavedAndLoaded) {
  const auto model = create_model(config(), 1);
  EXPECT_EQ(count_values(model->parameter_list()), count_values(list_parameters(config())));
  const Tensor clips = random_clip(config(), 4, 2), labels = labels_of({0, 1, 1, 0});
  TrainOptions options;
  options.weight_decay = 0;
  Trainer trainer(model, options);
  const float first = trainer.accumulate(clips, labels, 1.0f).loss;
  float last = first;
  for (int step = 0; step < 40; ++step) {
    trainer.update(3e-3);
    last = trainer.accumulate(clips, labels, 1.0f).loss;
  }
  EXPECT_LT(last, first / 4);
  // What started at zero has learnt: the temporal stage takes part.
  const Tensor last_layer = weight_of(*model, "blocks.0.temporal_fc.weight");
  EXPECT_GT(largest_difference(last_layer, Tensor::zeros({16, 16}, DType::kF32)), 1e-3);

  model->save(path());
  const Tensor expected = Session(model).forward(clips);
  Session loaded(load_model(path()));
  EXPECT_EQ(loaded.model().config().to_json(), model->config().to_json());
  EXPECT_LT(largest_difference(loaded.forward(clips), expected), 1e-4);
  EXPECT_EQ(loaded.trajectories(1).shape(), (Shape{4, 3, 16}));
  EXPECT_EQ(loaded.features(clips, 1).shape(), (Shape{4, 3, 16, 16}));
  ModelOptions divided;
  divided.temporal = ATA_TEMPORAL_DIVIDED;
  EXPECT_GT(largest_difference(Session(load_model(path(), divided)).forward(clips), expected),
            1e-5);
}

// Blocks that run again for their backward give the gradients of those that were kept.
TEST_F(ToyBackbone, TrainsTheSameWithRecomputation) {
  const Tensor clips = random_clip(config(), 2, 2), labels = labels_of({0, 1});
  TrainOptions options;
  options.stochastic_depth = options.dropout = 0.2f;
  std::vector<Tensor> results;
  for (const bool recompute : {false, true}) {
    options.recompute = recompute;
    const auto model = create_model(config(), 1);
    Trainer trainer(model, options);
    for (int step = 0; step < 3; ++step) {
      trainer.accumulate(clips, labels, 1.0f);
      trainer.update(1e-2);
    }
    results.push_back(weight_of(*model, "embed.weight"));
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
}

TEST_F(ToyBackbone, ItsFieldsAreCheckedByItself) {
  ModelConfig config = ToyBackbone::config();
  config.temporal = ATA_TEMPORAL_JOINT;
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { create_model(config, 1); }), "'divided'");
  EXPECT_MENTIONS(error_of(ATA_BAD_MODEL,
                           [&] {
                             ModelConfig::from_json(
                                 R"({"architecture":"toy","image_size":32,"heads":2,)"
                                 R"("frames":3,"classes":2,"temporal":"ata"})",
                                 "x");
                           }),
                  "has 'heads'");
}

}  // namespace
}  // namespace ata
