// Exact assignment, and whole passes of models.
#include <cmath>
#include <vector>

#include "assignment/assignment.h"
#include "cases.h"
#include "model/session.h"
#include "train/trainer.h"

namespace ata::bench {
namespace {

// Totals of the device against the optimum that the CPU finds.
void check_totals(const Tensor& values, const Tensor& totals) {
  const int64_t count = values.dim(0);
  std::vector<AssignmentWorkspace> workspaces;
  std::vector<int32_t> matching(static_cast<size_t>(count * values.dim(1)));
  std::vector<double> best(static_cast<size_t>(count));
  solve_assignments(values.data<float>(), count, static_cast<int>(values.dim(1)),
                    static_cast<int>(values.dim(2)), {.polish = true}, workspaces, matching.data(),
                    best.data());
  for (int64_t i = 0; i < count; ++i) {
    const double found = totals.data<double>()[i], wanted = best[static_cast<size_t>(i)];
    if (std::abs(found - wanted) <= AssignmentOptions::kTolerance * std::abs(wanted)) continue;
    fail(ATA_INTERNAL, "problem ", i, ": the total is ", found, ", and ", wanted, " is possible");
  }
}

void assignment(const Setting& setting, MatrixKind kind, const char* name) {
  register_case(concat("assignment/", name), setting,
                [=](const Setting& s, const Context& context) -> Prepared {
                  const int64_t count = s.small ? 20 : 2000, size = s.small ? 49 : 196;
                  const Tensor values = similarity_matrices(kind, count, size);
                  const Tensor there = context.copy(values);
                  Tensor matching = context.empty({count, size}, DType::kI32);
                  Tensor totals = context.empty({count}, DType::kF64);
                  auto scratch = std::make_shared<std::shared_ptr<AssignmentScratch>>();
                  return {.run =
                              [=]() mutable {
                                Tensor none;
                                context.run(&Kernels::assign, there, AssignmentOptions{},
                                            scratch.get(), none, matching, totals);
                              },
                          .check = [=] { check_totals(values, context.download(totals)); },
                          .waits = true};
                });
}

void forward(const Setting& setting, ata_temporal_mode mode, ata_precision precision,
             int32_t frames, int64_t batch) {
  const std::string name = concat("forward/", temporal_mode_name(mode), "/",
                                  precision == ATA_PRECISION_BF16 ? "bf16" : "f32", "/", frames,
                                  "_frames/batch_", batch);
  register_case(name, setting, [=](const Setting& s, const Context& context) -> Prepared {
    ModelOptions options;
    options.temporal = mode;
    options.precision = precision;
    if (!s.small) options.frames = frames;
    auto session = std::make_shared<Session>(inference_model(s, options));
    const Tensor clips = clips_on(context, session->model().config(), batch);
    context.synchronize();
    return {.run = [=] { session->forward(clips); }, .waits = true};
  });
}

void step(const Setting& setting, ata_temporal_mode mode, ata_precision precision, bool recompute,
          int64_t batch) {
  const std::string name = concat("step/", temporal_mode_name(mode), "/",
                                  precision == ATA_PRECISION_BF16 ? "bf16" : "f32",
                                  recompute ? "_recomputed" : "", "/batch_", batch);
  register_case(name, setting, [=](const Setting& s, const Context& context) -> Prepared {
    ModelConfig config = model_config(s.small);
    config.temporal = mode;
    TrainOptions options;
    options.precision = precision;
    options.recompute = recompute;
    auto trainer = std::make_shared<Trainer>(Model::create(config, 1, s.device), options);
    const Tensor clips = clips_on(context, config, batch);
    const Tensor labels = Tensor::zeros({batch}, DType::kI64);
    context.synchronize();
    return {.run =
                [=] {
                  trainer->accumulate(clips, labels, 1.0f);
                  trainer->update(1e-5);
                },
            .waits = true};
  });
}

}  // namespace

void register_assignments(const Setting& setting) {
  assignment(setting, MatrixKind::kEasy, "easy");
  assignment(setting, MatrixKind::kHard, "hard");
}

void register_passes(const Setting& setting) {
  for (const ata_precision precision : {ATA_PRECISION_BF16, ATA_PRECISION_F32}) {
    for (const ata_temporal_mode mode :
         {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED, ATA_TEMPORAL_JOINT, ATA_TEMPORAL_SPACE_ONLY}) {
      for (const int64_t batch : {1, 16}) forward(setting, mode, precision, 8, batch);
    }
  }
  for (const ata_temporal_mode mode : {ATA_TEMPORAL_ATA, ATA_TEMPORAL_DIVIDED}) {
    forward(setting, mode, ATA_PRECISION_BF16, 96, 1);
    for (const int64_t batch : {1, 16}) step(setting, mode, ATA_PRECISION_BF16, false, batch);
  }
  step(setting, ATA_TEMPORAL_ATA, ATA_PRECISION_BF16, true, 16);
  step(setting, ATA_TEMPORAL_ATA, ATA_PRECISION_F32, false, 16);
}

}  // namespace ata::bench
