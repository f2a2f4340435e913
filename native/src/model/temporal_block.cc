#include "model/temporal_block.h"

#include <utility>

#include "base/error.h"
#include "model/precision.h"
#include "model/temporal_stage.h"
#include "ops/checks.h"

namespace ata {
namespace {

// Width of an attention head where nobody says how many there are.
constexpr int64_t kHeadDim = 64;

bool is_map(const Shape& shape) {
  return shape.rank() == 5;
}

ClipLayout layout_of(const Shape& shape) {
  return {shape[0], shape[1], is_map(shape) ? shape[3] * shape[4] : shape[2]};
}

int64_t channels_of(const Shape& shape) {
  return is_map(shape) ? shape[2] : shape[3];
}

// Features of the host or the device as rows [B*T*N, D] of their own in the device's memory.
Tensor to_rows(const Context& context, const Tensor& features) {
  const ClipLayout layout = layout_of(features.shape());
  const int64_t channels = channels_of(features.shape());
  const Shape rows = {layout.patch_rows(), channels};
  if (!is_map(features.shape())) return context.copy(features.reshape(rows));
  Tensor result = context.empty(rows);
  const Tensor maps = features.reshape({layout.frame_count(), channels, layout.patches});
  context.run(&Kernels::transpose, context.upload(maps), result);
  return result;
}

// Rows [B*T*N, D] as features of that shape in memory of their own: the host's, or the device's.
Tensor from_rows(const Context& context, const Tensor& rows, const Shape& features, bool to_host) {
  if (!is_map(features)) {
    return (to_host ? context.download(rows) : lasting_context(context.stream).copy(rows))
        .reshape(features);
  }
  const ClipLayout layout = layout_of(features);
  const Shape frames = {layout.frame_count(), layout.patches, channels_of(features)};
  // In memory that outlives the pass: where the host shares it, it is the result.
  Tensor result(features, DType::kF32, context.stream->device.memory());
  context.run(&Kernels::transpose, rows.reshape(frames), result);
  return to_host ? context.download(result, /*may_share=*/true) : result;
}

void check_heads(const TemporalBlockOptions& options) {
  require(options.channels >= 1, "channels is ", options.channels, "; it must be at least 1");
  require(options.heads >= 0, "heads is ", options.heads, "; it must be positive, or 0");
  require(options.heads > 0 || options.channels % kHeadDim == 0, options.channels,
          " channels are not a multiple of ", kHeadDim, "; say how many heads there are");
  require(options.heads == 0 || options.channels % options.heads == 0, options.heads,
          " heads do not divide ", options.channels, " channels");
}

void check_features(const Context& context, const Tensor& features, const char* name) {
  require(features.defined() && features.dtype() == DType::kF32 &&
              (features.rank() == 4 || features.rank() == 5),
          name, " must be f32 [B, T, N, D] or [B, T, D, H, W], not ",
          features.defined()
              ? concat(dtype_name(features.dtype()), " ", features.shape().to_string())
              : "empty");
  require(features.count() > 0, name, " is ", features.shape().to_string(),
          "; every extent must be at least 1");
  require(all_finite(context, features), name, " holds a NaN or an infinity");
}

void check_trajectories(const Tensor& trajectories, const ClipLayout& layout) {
  const Shape expected = {layout.clips, layout.frames, layout.patches};
  require(trajectories.dtype() == DType::kI32 && trajectories.shape() == expected,
          "trajectories is ", dtype_name(trajectories.dtype()), " ",
          trajectories.shape().to_string(), "; features of this shape need i32 ",
          expected.to_string());
}

}  // namespace

TemporalBlock::TemporalBlock(const TemporalBlockOptions& options)
    : options_(options), stream_(options.device->make_stream(options.device->memory())) {
  check_heads(options_);
  if (options_.heads == 0) options_.heads = options_.channels / kHeadDim;
  // How many patches there will be is not known yet; a grid says it.
  const AlignmentOptions& alignment = options_.alignment;
  const bool has_grid = alignment.grid_height > 0 && alignment.grid_width > 0;
  validate(alignment, has_grid ? int64_t{alignment.grid_height} * alignment.grid_width : 1);
  options_.alignment.product = similarity_product(options_.precision);
  ListWalk walk;
  declare_temporal_weights(walk, "", options_.channels);
  for (const ParameterInfo& info : std::move(walk).list()) {
    parameters_.add(info.name, context().upload(initial_parameter(info, options_.seed)));
  }
  // Whoever opens a parameter writes to it on another stream.
  context().synchronize();
  stream_->allocator = make_workspace(options_.device->memory());
}

Tensor TemporalBlock::forward(const Tensor& features, bool for_backward) {
  check_features(context(), features, "features");
  return run(features, Tensor(), for_backward);
}

Tensor TemporalBlock::forward_along(const Tensor& features, const Tensor& trajectories,
                                    bool for_backward) {
  check_features(context(), features, "features");
  check_trajectories(trajectories, layout_of(features.shape()));
  return run(features, trajectories, for_backward);
}

Tensor TemporalBlock::run(const Tensor& features, const Tensor& trajectories, bool for_backward) {
  const ClipLayout layout = layout_of(features.shape());
  const int64_t channels = channels_of(features.shape());
  require(channels == options_.channels, "the features ", features.shape().to_string(), " have ",
          channels, " channels; the block was made for ", options_.channels);
  TemporalStageOptions options = {.alignment = options_.alignment,
                                  .compute = compute_type(options_.precision)};
  if (is_map(features.shape())) {
    options.alignment.grid_height = static_cast<int>(features.dim(3));
    options.alignment.grid_width = static_cast<int>(features.dim(4));
  }
  validate(options.alignment, layout.patches);
  std::optional<Trajectories> given;
  // Of a copy, since the caller may change his before backward().
  if (trajectories) given = trajectories_along(context(), trajectories.clone());

  tape_.clear();
  input_ = output_ = Variable();
  variables_.clear();
  trajectories_.reset();
  stream_->allocator->begin_pass();
  shape_ = features.shape();

  const Context pass = context(for_backward ? &tape_ : nullptr);
  pass.clear_status();
  const Variable rows(to_rows(pass, features), for_backward);
  TemporalStage stage(options, alignment_);
  if (given) stage.follow(*given);
  VariableWalk walk(parameters_, for_backward);
  const TemporalWeights weights = declare_temporal_weights(walk, "", options_.channels);
  const Variable result =
      stage.run(pass, TrainingPass(), rows, layout,
                {.weights = weights, .heads = static_cast<int>(options_.heads)});
  Tensor output = from_rows(pass, result.value(), shape_, features.device() == nullptr);
  pass.check_status("forward");
  if (!stage.trajectories().empty()) trajectories_ = stage.trajectories().front();
  if (for_backward) {
    input_ = rows;
    output_ = result;
    variables_ = walk.variables();
  }
  return output;
}

Tensor TemporalBlock::backward(const Tensor& gradient) {
  if (!output_.defined()) {
    fail(ATA_INVALID_STATE,
         "there is no forward to go back through; run one that keeps what backward needs");
  }
  check_features(context(), gradient, "gradient");
  require(gradient.shape() == shape_, "the gradient is ", gradient.shape().to_string(),
          "; the features of the last forward are ", shape_.to_string());
  const Variable input = std::exchange(input_, Variable());
  const Variable output = std::exchange(output_, Variable());
  differentiated_.clear();
  tape_.backward(output, to_rows(context(), gradient));
  differentiated_ = std::exchange(variables_, {});
  const Tensor result =
      from_rows(context(), input.take_gradient(), shape_, gradient.device() == nullptr);
  context().synchronize();
  return result;
}

Tensor TemporalBlock::gradient(const std::string& name) const {
  const Shape shape = parameters_.tensor(name).shape();
  const auto found = differentiated_.find(name);
  if (found == differentiated_.end() || !found->second.gradient()) {
    fail(ATA_INVALID_STATE,
         "there is no gradient yet; run a forward that keeps what backward needs, then backward");
  }
  return context().download(found->second.gradient().reshape(shape));
}

Tensor TemporalBlock::trajectories() const {
  if (options_.alignment.method == AlignmentMethod::kSoft && !trajectories_) {
    fail(ATA_UNSUPPORTED, "alignment 'soft' has no trajectories");
  }
  if (!trajectories_) {
    fail(ATA_INVALID_STATE, "there are no trajectories yet; run forward first");
  }
  return trajectories_->index ? context().download(trajectories_->index)
                              : identity_trajectories(layout_of(shape_));
}

}  // namespace ata
