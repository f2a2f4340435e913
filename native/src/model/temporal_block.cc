#include "model/temporal_block.h"

#include <utility>

#include "backend/backend.h"
#include "base/error.h"
#include "base/threads.h"
#include "model/precision.h"
#include "tensor/transpose.h"

namespace ata {
namespace {

bool is_map(const Shape& shape) {
  return shape.rank() == 5;
}

FeatureShape extents(const Shape& shape) {
  return is_map(shape) ? FeatureShape{shape[0], shape[1], shape[3] * shape[4], shape[2]}
                       : FeatureShape{shape[0], shape[1], shape[2], shape[3]};
}

// Transposes `count` matrices [rows, columns].
void transpose_all(const float* from, int64_t count, int64_t rows, int64_t columns, float* to) {
  const int64_t size = rows * columns;
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) transpose(from + i * size, rows, columns, to + i * size);
  });
}

// A copy of features as rows [B*T*N, D].
Tensor to_rows(const Tensor& features, const std::shared_ptr<Allocator>& allocator) {
  const FeatureShape shape = extents(features.shape());
  const int64_t frames = shape.clips * shape.frames;
  const Shape rows = {frames * shape.patches, shape.channels};
  if (!is_map(features.shape())) return features.reshape(rows).clone(allocator);
  Tensor result(rows, DType::kF32, allocator);
  transpose_all(features.data<float>(), frames, shape.channels, shape.patches,
                result.data<float>());
  return result;
}

// A copy on the heap of rows [B*T*N, D], as features of that shape.
Tensor from_rows(const Tensor& rows, const Shape& features) {
  if (!is_map(features)) return rows.clone().reshape(features);
  const FeatureShape shape = extents(features);
  Tensor result(features, DType::kF32);
  transpose_all(rows.data<float>(), shape.clips * shape.frames, shape.patches, shape.channels,
                result.data<float>());
  return result;
}

void check_heads(const TemporalBlockOptions& options) {
  require(options.channels >= 1, "channels is ", options.channels, "; it must be at least 1");
  require(options.heads >= 0, "heads is ", options.heads, "; it must be positive, or 0");
  require(options.heads > 0 || options.channels % kHeadDim == 0, options.channels,
          " channels are not a multiple of ", kHeadDim, "; say how many heads there are");
  require(options.heads == 0 || options.channels % options.heads == 0, options.heads,
          " heads do not divide ", options.channels, " channels");
}

void check_features(const Tensor& features, const char* name) {
  require(features.defined() && features.dtype() == DType::kF32 &&
              (features.rank() == 4 || features.rank() == 5),
          name, " must be f32 [B, T, N, D] or [B, T, D, H, W], not ",
          features.defined()
              ? concat(dtype_name(features.dtype()), " ", features.shape().to_string())
              : "empty");
  require(features.count() > 0, name, " is ", features.shape().to_string(),
          "; every extent must be at least 1");
  require(all_finite(features), name, " holds a NaN or an infinity");
}

}  // namespace

TemporalBlock::TemporalBlock(const TemporalBlockOptions& options)
    : options_(options), kernels_(&kernels_for(options.device)) {
  check_heads(options_);
  if (options_.heads == 0) options_.heads = options_.channels / kHeadDim;
  // How many patches there will be is not known yet; a grid says it.
  const AlignmentOptions& alignment = options_.alignment;
  const bool has_grid = alignment.grid_height > 0 && alignment.grid_width > 0;
  validate(alignment, has_grid ? int64_t{alignment.grid_height} * alignment.grid_width : 1);
  options_.alignment.product = similarity_product(options_.precision);
  for (const ParameterInfo& info : list_temporal_parameters("", options_.channels)) {
    parameters_.add(info.name, initial_parameter(info, options_.channels, options_.seed));
  }
}

TemporalStep TemporalBlock::make_step(const Tensor& features) const {
  const FeatureShape shape = extents(features.shape());
  require(shape.channels == options_.channels, "the features ", features.shape().to_string(),
          " have ", shape.channels, " channels; the block was made for ", options_.channels);
  return {.layout = {shape.clips, shape.frames, shape.patches},
          .heads = static_cast<int>(options_.heads),
          .compute = compute_type(options_.precision),
          .alignment = options_.alignment.method,
          .temperature = options_.alignment.temperature};
}

Tensor TemporalBlock::forward(const Tensor& features, bool for_backward) {
  check_features(features, "features");
  TemporalStep step = make_step(features);
  AlignmentOptions alignment = options_.alignment;
  if (is_map(features.shape())) {
    alignment.grid_height = static_cast<int>(features.dim(3));
    alignment.grid_width = static_cast<int>(features.dim(4));
  }
  validate(alignment, step.layout.patches);

  tape_.clear();
  input_ = output_ = Variable();
  variables_.clear();
  trajectories_ = Tensor();
  // Blocks of another shape would never be used again.
  if (!workspace_ || features.shape() != shape_) workspace_ = make_workspace(heap_allocator());
  shape_ = features.shape();

  const Variable rows(to_rows(features, workspace_), for_backward);
  if (step.alignment != AlignmentMethod::kNone && step.alignment != AlignmentMethod::kSoft) {
    step.trajectories =
        Tensor({step.layout.batch, step.layout.frames, step.layout.patches}, DType::kI32);
    align_features(rows.value().data<float>(), extents(shape_), alignment, alignment_workspace_,
                   step.trajectories.data<int32_t>());
  }
  VariableSource source(parameters_, for_backward);
  const TemporalWeights weights = bind_temporal_weights("", source);
  const Context context = {
      .kernels = kernels_, .allocator = workspace_, .tape = for_backward ? &tape_ : nullptr};
  const Variable result = run_temporal_step(context, rows, weights, step);
  trajectories_ =
      step.alignment == AlignmentMethod::kNone
          ? identity_trajectories(step.layout.batch, step.layout.frames, step.layout.patches)
          : step.trajectories;
  if (for_backward) {
    input_ = rows;
    output_ = result;
    variables_ = source.variables();
  }
  return from_rows(result.value(), shape_);
}

Tensor TemporalBlock::backward(const Tensor& gradient) {
  if (!output_.defined()) {
    fail(ATA_INVALID_STATE,
         "there is no forward to go back through; run one that keeps what backward needs");
  }
  check_features(gradient, "gradient");
  require(gradient.shape() == shape_, "the gradient is ", gradient.shape().to_string(),
          "; the features of the last forward are ", shape_.to_string());
  const Variable input = std::exchange(input_, Variable());
  const Variable output = std::exchange(output_, Variable());
  differentiated_.clear();
  tape_.backward(output, to_rows(gradient, workspace_));
  differentiated_ = std::exchange(variables_, {});
  return from_rows(input.take_gradient(), shape_);
}

Tensor TemporalBlock::gradient(const std::string& name) const {
  const Shape shape = parameters_.tensor(name).shape();
  const auto found = differentiated_.find(name);
  if (found == differentiated_.end() || !found->second.gradient()) {
    fail(ATA_INVALID_STATE,
         "there is no gradient yet; run a forward that keeps what backward needs, then backward");
  }
  return found->second.gradient().reshape(shape).clone();
}

Tensor TemporalBlock::trajectories() const {
  if (options_.alignment.method == AlignmentMethod::kSoft) {
    fail(ATA_UNSUPPORTED, "alignment 'soft' has no trajectories");
  }
  if (!trajectories_.defined()) {
    fail(ATA_INVALID_STATE, "there are no trajectories yet; run forward first");
  }
  return trajectories_.clone();
}

}  // namespace ata
