#include "model/network.h"

#include <iterator>
#include <utility>

#include "base/error.h"
#include "model/precision.h"
#include "ops/checks.h"

namespace ata {
namespace {

constexpr char kHead[] = "head";

// Lets a context record on another tape for a while.
class TapeScope {
 public:
  TapeScope(Context& context, Tape& tape)
      : context_(context), previous_(std::exchange(context.tape, &tape)) {}
  ~TapeScope() { context_.tape = previous_; }
  TapeScope(const TapeScope&) = delete;
  TapeScope& operator=(const TapeScope&) = delete;

 private:
  Context& context_;
  Tape* previous_;
};

TemporalStageOptions stage_options(const ModelConfig& config, ata_precision precision) {
  return {.aligned = config.temporal == ATA_TEMPORAL_ATA,
          .alignment = alignment_options(config, precision),
          .align_every = config.align_every,
          .warm_start = true,
          .depth = config.depth(),
          .compute = compute_type(precision)};
}

}  // namespace

bool is_head(const std::string& parameter) {
  return parameter.starts_with(kHead) && parameter[std::size(kHead) - 1] == '.';
}

Network::Network(const ModelConfig& config, ParameterWalk& walk)
    : backbone_(config.backbone->build(config, walk)) {
  walk.begin_layer(config.depth() + 1);
  head_ = walk.linear(kHead, config.classes, config.dim(),
                      {.deviation = kInitialDeviation, .full_precision = true});
}

std::vector<ParameterInfo> list_parameters(const ModelConfig& config,
                                           std::function<bool(const std::string&)> stored) {
  ListWalk walk(std::move(stored));
  const Network network(config, walk);
  return std::move(walk).list();
}

AlignmentOptions alignment_options(const ModelConfig& config, ata_precision precision) {
  AlignmentOptions options;
  options.method = static_cast<AlignmentMethod>(config.alignment);
  options.window_radius = config.window_radius;
  options.temperature = config.temperature;
  options.iterations = config.iterations;
  options.grid_height = config.grid();
  options.grid_width = config.grid();
  options.product = similarity_product(precision);
  return options;
}

void check_clip_shape(const ModelConfig& config, const Tensor& clip) {
  require(clip.defined() && clip.dtype() == DType::kF32, "the clip must be f32, not ",
          clip.defined() ? dtype_name(clip.dtype()) : "empty");
  const Shape expected = {clip.rank() > 0 ? clip.dim(0) : 0, 3, config.frames, config.image_size,
                          config.image_size};
  require(
      clip.shape() == expected && clip.dim(0) >= 1, "the clip has shape ", clip.shape().to_string(),
      "; the model takes [B, 3, ", config.frames, ", ", config.image_size, ", ", config.image_size,
      "], B at least 1 (sample the clip so, or load the model with other frames or image_size)");
}

void require_finite_clip(bool finite) {
  require(finite, "the clip holds a NaN or an infinity; pixels must be finite");
}

void check_clip(const Context& context, const ModelConfig& config, const Tensor& clip) {
  check_clip_shape(config, clip);
  require_finite_clip(all_finite(context, clip));
}

Forward::Forward(const Context& context, const Network& network, const ModelConfig& config,
                 ata_precision precision, AlignmentState& state, const TrainingPass& training)
    : network_(network),
      pass_{.context = context,
            .config = config,
            .compute = compute_type(precision),
            .training = training,
            .temporal = TemporalStage(stage_options(config, precision), state)} {}

Variable Forward::embed(const Variable& clip) {
  pass_.layout = {clip.value().dim(0), pass_.config.frames, pass_.config.patches()};
  return network_.backbone().embed(pass_, clip);
}

Variable Forward::logits(const Variable& clip) {
  Variable tokens = embed(clip);
  const int64_t last = pass_.config.depth() - 1;
  for (int64_t i = 0; i < last; ++i) tokens = block(tokens, i);
  // Moved, so that in training only the tape still holds what backward needs.
  return head(class_token(std::exchange(tokens, Variable())));
}

Variable Forward::block(const Variable& tokens, int64_t index) {
  pass_.context.check_cancelled();
  if (pass_.training.recompute) return recomputed_block(tokens, index);
  return network_.backbone().block(pass_, tokens, index, /*known_result=*/{});
}

Variable Forward::class_token(const Variable& tokens, Variable* last) {
  // Never recomputed: its backward follows at once, so that dropping its activations saves nothing.
  pass_.context.check_cancelled();
  return network_.backbone().class_token(pass_, tokens, last);
}

Variable Forward::head(const Variable& class_token) {
  const Variable kept =
      pass_.training.dropout(pass_.context, class_token, pass_.config.depth(), DrawSite::kHead);
  return linear(pass_.context, kept, network_.head());
}

Variable Forward::patch_rows(const Variable& tokens) const {
  return network_.backbone().patch_rows(pass_, tokens);
}

void Forward::align(const Variable& tokens, int64_t index) {
  pass_.temporal.align(pass_.context, patch_rows(tokens), pass_.layout, index);
}

Variable Forward::recomputed_block(const Variable& tokens, int64_t index) {
  const auto run_apart = [this, tokens, index](Tape& tape, const Variable& input,
                                               const Tensor& known_result) {
    const TapeScope scope(pass_.context, tape);
    return network_.backbone().block(pass_, input, index, known_result);
  };
  // Not without a tape: the result would be written over the input, which is needed again.
  Tape dropped;
  const Variable first =
      run_apart(dropped, Variable(tokens.value(), tokens.requires_gradient()), Tensor());
  const Variable out(first.value(), first.requires_gradient());
  if (out.requires_gradient()) {
    pass_.context.tape->record([this, tokens, out, run_apart] {
      Tensor dy = out.take_gradient();
      if (!dy) return;
      pass_.context.check_cancelled();
      const Variable input(tokens.value(), tokens.requires_gradient());
      Tape tape;
      const Variable again = run_apart(tape, input, out.value());
      tape.backward(again, std::move(dy));
      if (input.gradient()) pass_.context.accumulate_gradient(tokens, input.take_gradient());
    });
  }
  return out;
}

}  // namespace ata
