// Solves assignment problems, makes a clip and a tiny model, then classifies the clip and aligns
// its frames, through the installed package alone. Exit code 0 if everything holds.

#include <algorithm>
#include <ata/ata.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int kWidth = 96;
constexpr int kHeight = 64;
constexpr int kFrames = 24;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "the C++ consumer found that this does not hold: %s\n", what);
  std::exit(1);
}

// A bright square that moves over a gradient.
void write_clip(const std::string& path) {
  ata::VideoWriter writer(path, kWidth, kHeight, 12.0);
  std::vector<uint8_t> pixels(static_cast<size_t>(kWidth) * kHeight * 3);
  for (int t = 0; t < kFrames; ++t) {
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        const bool inside = std::abs(x - 16 - 2 * t) < 8 && std::abs(y - 32) < 8;
        uint8_t* pixel = &pixels[static_cast<size_t>(y * kWidth + x) * 3];
        pixel[0] = static_cast<uint8_t>(inside ? 240 : 2 * x);
        pixel[1] = static_cast<uint8_t>(inside ? 220 : 3 * y);
        pixel[2] = 60;
      }
    }
    writer.add(ata::Tensor::wrap(std::span<uint8_t>(pixels), {kHeight, kWidth, 3}));
  }
  writer.finish();
}

ata_model_config tiny_config() {
  ata_model_config config = ata::architecture("vit-tiny");
  config.image_size = 64;
  config.backbone = R"({"patch_size": 16, "dim": 64, "depth": 2, "heads": 2})";
  config.frames = 4;
  config.classes = 3;
  return config;
}

void classify(const std::string& clip_path, const std::string& model_path) {
  ata::Model made = ata::Model::create(tiny_config(), 7);
  made.set_labels({"left", "right", "still"});
  made.save(model_path);

  const ata::Model model = ata::Model::load(model_path);
  require(model.config().classes == 3, "the checkpoint keeps the number of classes");
  require(model.label(1) == "right", "the checkpoint keeps the labels");

  ata::VideoReader video(clip_path);
  const ata_video_info info = video.info();
  require(info.width == kWidth && info.height == kHeight, "the clip has the size it was given");

  const ata::TimedFrames clip = video.sample(ata::clip_options(model));
  require(clip.frames.shape().size() == 5 && clip.frames.shape()[2] == 4, "4 frames are sampled");

  ata::Session session(model);
  const std::vector<float> logits = session.forward(clip.frames);
  require(logits.size() == 3, "there is one logit a class");
  const std::vector<ata::Prediction> best = ata::top_k(logits, 2);
  require(best.size() == 2 && best[0].probability >= best[1].probability, "top_k sorts");
  for (const ata::Prediction& prediction : best) {
    require(std::isfinite(prediction.probability), "the probabilities are finite");
    std::printf("%-6s %.3f\n", model.label(prediction.index)->c_str(), prediction.probability);
  }
  require(ata::Session(made).forward(clip.frames).size() == 3, "a model just made runs");

  // One run gives all that is wanted of a pass.
  const ata::Tensor features = session.features(clip.frames, 0);
  std::vector<float> same_logits(3), same_features(features.data<float>().size());
  const int32_t first = 0;
  ata_session_outputs outputs = ata::defaults<ata_session_outputs>();
  outputs.logits = same_logits.data();
  outputs.logits_count = same_logits.size();
  outputs.feature_blocks = &first;
  outputs.feature_block_count = 1;
  outputs.features = same_features.data();
  outputs.features_count = same_features.size();
  session.run(clip.frames, outputs);
  require(same_logits == logits, "a run gives the logits that it gives alone");
  require(std::ranges::equal(same_features, features.data<float>()), "and the features");

  // Each frame of an exact alignment visits every patch once.
  const ata::Alignment alignment = ata::align(features);
  const auto trajectories = alignment.trajectories.data<int32_t>();
  const size_t patches = 16;
  require(trajectories.size() == 4 * patches, "trajectories are [1, 4, 16]");
  for (size_t t = 0; t < 4; ++t) {
    const auto frame = trajectories.subspan(t * patches, patches);
    require(std::set<int32_t>(frame.begin(), frame.end()).size() == patches,
            "each frame of a trajectory is a permutation");
  }

  // The same frame by frame, as live video comes.
  const size_t channels = features.data<float>().size() / (4 * patches);
  ata::OnlineAligner live(static_cast<int64_t>(patches), static_cast<int64_t>(channels));
  std::vector<int32_t> positions(patches);
  for (size_t t = 0; t < 4; ++t) {
    std::vector<float> frame(features.data<float>().begin() + t * patches * channels,
                             features.data<float>().begin() + (t + 1) * patches * channels);
    live.add(ata::Tensor::wrap(std::span<float>(frame),
                               {static_cast<int64_t>(patches), static_cast<int64_t>(channels)}),
             positions);
    require(std::equal(positions.begin(), positions.end(), trajectories.begin() + t * patches),
            "live frames give what all frames at once give");
  }

  // Attention over time on its own: unchanged features until it has learnt something.
  ata_temporal_block_options options = ata::defaults<ata_temporal_block_options>();
  options.heads = 2;
  ata::TemporalBlock block(static_cast<int64_t>(channels), options);
  const ata::Tensor attended = block.forward(features, /*for_backward=*/true);
  require(std::ranges::equal(attended.data<float>(), features.data<float>()),
          "a new temporal block changes nothing");
  require(std::ranges::equal(block.backward(attended).shape(), features.shape()),
          "its features have a gradient");
  const std::string layer = block.parameter_names().back();
  require(std::ranges::equal(block.gradient(layer).shape(), block.parameter(layer).shape()),
          "and so have its parameters");
  require(std::ranges::equal(block.forward_along(features, alignment.trajectories).data<float>(),
                             features.data<float>()),
          "along given trajectories, too");
  const auto paths = block.trajectories();
  require(std::ranges::equal(paths.data<int32_t>(), trajectories), "it follows trajectories");

  ata::Cancellation cancellation;
  cancellation.cancel();
  try {
    session.forward(clip.frames, &cancellation);
    require(false, "a cancelled run fails");
  } catch (const ata::Error& error) {
    require(error.status() == ATA_CANCELLED, "a cancelled run says so");
  }
}

// The assignment solver on its own: a batch, a warm start, a problem without an answer.
void assign() {
  ata::Assigner assigner;
  const std::vector<float> similarities = {0.1f, 0.9f, 0.3f, 0.8f, 0.7f, 0.2f, 0.5f, 0.4f, 0.6f};
  std::vector<int32_t> matching(3);
  std::vector<double> prices(3);
  const double cold = assigner.solve(similarities, 3, 3, matching, prices);
  require(matching == std::vector<int32_t>({1, 0, 2}), "the best pairs are found");
  require(std::abs(cold - 2.3) < 1e-6, "their values are added up");
  const double warm = assigner.solve(similarities, 3, 3, matching, prices);
  require(warm == cold, "a warm start finds the same total");

  // Two problems of costs, with more columns than rows.
  ata_assign_options least = ata::defaults<ata_assign_options>();
  least.maximize = 0;
  const std::vector<float> costs = {4, 1, 2, 3, 0, 5, 4, 1, 2, 3, 0, 5};
  std::vector<int32_t> matchings(4);
  std::vector<double> totals(2);
  ata::Assigner(least).solve_batch(costs, 2, 2, 3, matchings, totals);
  require(matchings == std::vector<int32_t>({2, 1, 2, 1}) && totals[1] == 2,
          "every problem of a batch is solved");

  const float forbidden = -std::numeric_limits<float>::infinity();
  const std::vector<float> impossible = {forbidden, forbidden, 1, 1};
  try {
    assigner.solve(impossible, 2, 2, std::span(matchings).first(2));
    require(false, "a row without a partner is an error");
  } catch (const ata::Error& error) {
    require(error.status() == ATA_INFEASIBLE, "it is reported as such");
    require(matchings[0] == 2, "and nothing is written");
  }
}

}  // namespace

int main() try {
  ata::require_matching_library();
  assign();
  const auto folder = std::filesystem::current_path();
  write_clip((folder / "clip.mp4").string());
  classify((folder / "clip.mp4").string(), (folder / "tiny.safetensors").string());

  try {
    ata::VideoReader missing("no-such-clip.mp4");
    require(false, "a missing file is an error");
  } catch (const ata::Error& error) {
    require(error.status() == ATA_NOT_FOUND, "a missing file is reported as such");
    require(std::string(error.what()).find("no-such-clip.mp4") != std::string::npos,
            "the message names the file");
  }
  std::printf("libata %s from C++\n", ata::version().c_str());
  return 0;
} catch (const ata::Error& error) {
  std::fprintf(stderr, "ata::Error %d: %s\n", error.status(), error.what());
  return 1;
}
