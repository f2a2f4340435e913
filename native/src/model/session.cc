#include "model/session.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/error.h"
#include "ops/checks.h"
#include "ops/cross_entropy.h"

namespace ata {
namespace {

// Clips are finite, so that the model is to blame.
void check_results(bool finite, const char* what) {
  if (finite) return;
  fail(ATA_NOT_FINITE, "the model computes ", what,
       " that are not finite: its weights are damaged or far too large");
}

void require_distinct(std::span<const int32_t> blocks, const char* what) {
  std::vector<int32_t> sorted(blocks.begin(), blocks.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  require(twice == sorted.end(), what, " of block ", twice == sorted.end() ? 0 : *twice,
          " are asked for twice; name each block once");
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, void* stream) : model_(std::move(model)) {
  Device& device = model_->device();
  stream_ = stream != nullptr ? device.wrap_stream(device.memory(), stream)
                              : device.make_stream(device.memory());
}

Session::ShapeState& Session::state_for(const Shape& shape) {
  const auto known = std::find_if(states_.begin(), states_.end(),
                                  [&](const ShapeState& state) { return state.shape == shape; });
  if (known != states_.end()) {
    states_.splice(states_.begin(), states_, known);
    return states_.front();
  }
  // What alignment keeps between runs is of one shape.
  states_.remove_if([](const ShapeState& state) { return !state.recorded; });
  while (states_.size() >= kRecordedShapes) states_.pop_back();
  states_.emplace_front().shape = shape;
  return states_.front();
}

Context Session::make_context(Tape* tape, const std::atomic<bool>* cancelled) {
  trajectories_.clear();
  if (!workspace_) workspace_ = make_workspace(model_->device().memory());
  workspace_->begin_pass();
  stream_->allocator = workspace_;
  const Context context = {.stream = stream_, .tape = tape, .cancelled = cancelled};
  context.clear_status();
  return context;
}

Session::Results Session::compute(const Context& context, AlignmentState& alignment,
                                  const Tensor& clip) const {
  Results results;
  if (clip.device() != nullptr) results.clip_squares = sum_of_squares(context, clip);
  Forward pass(context, model_->network(), model_->config(), model_->precision(), alignment);
  Variable tokens = pass.embed(Variable(clip));
  const int64_t last = model_->config().depth() - 1;
  for (int64_t block = 0; block < last; ++block) tokens = pass.block(tokens, block);
  const Variable token = pass.class_token(std::exchange(tokens, Variable()));
  results.logits = pass.head(token).value();
  results.class_token = token.value();
  results.trajectories = pass.trajectories();
  return results;
}

// Whether there is a recorded pass, which is made now if it can be.
bool Session::has_recorded(ShapeState& state) {
  if (state.recorded) return true;
  if (!state.has_run || state.unrecordable) return false;
  // It takes the blocks that it needs from the session's workspace for good; the others stay there.
  auto pass = std::make_unique<RecordedPass>();
  pass->workspace = make_lasting_workspace(workspace_);
  pass->alignment = std::exchange(state.alignment, {});
  stream_->allocator = pass->workspace;
  const Context context = {.stream = stream_};
  pass->clip = context.empty(state.shape);
  pass->work = model_->device().record(*stream_, [&] {
    context.clear_status();
    pass->results = compute(context, pass->alignment, pass->clip);
  });
  if (!pass->work) {
    state.unrecordable = true;
    state.alignment = std::move(pass->alignment);
    return false;
  }
  state.recorded = std::move(pass);
  return true;
}

Session::Outputs Session::classify(ShapeState& state, const Tensor& clip, const Request& request,
                                   const std::atomic<bool>* cancelled) {
  const bool on_host = clip.device() == nullptr;
  trajectories_.clear();
  Results results;
  if (has_recorded(state)) {
    const Context context = {.stream = stream_, .cancelled = cancelled};
    context.check_cancelled();
    context.assign(state.recorded->clip, clip);
    state.recorded->work->replay();
    results = state.recorded->results;
  } else {
    const Context context = make_context(nullptr, cancelled);
    try {
      results = compute(context, state.alignment, context.upload(clip));
    } catch (const Error& error) {
      // A device that tells at once tells before the clip was looked at, which may be to blame.
      if (!on_host && error.status() == ATA_NOT_FINITE) {
        require_finite_clip(all_finite(context, clip));
      }
      throw;
    }
    state.has_run = true;
  }
  const Context context = {.stream = stream_};
  const Tensor wanted[] = {request.class_token ? results.class_token : Tensor(),
                           request.logits ? results.logits : Tensor(),
                           on_host ? Tensor() : results.clip_squares, stream_->status};
  const std::vector<Tensor> host = context.download(wanted);
  Outputs outputs;
  outputs.class_token = host[0];
  outputs.logits = host[1];
  // What is wrong with a clip of the host was seen before.
  if (!on_host) require_finite_clip(std::isfinite(*host[2].data<double>()));
  context.check_status(host[3], "forward");
  trajectories_ = std::move(results.trajectories);
  return outputs;
}

Session::Outputs Session::run(const Tensor& clip, const Request& request,
                              const std::atomic<bool>* cancelled) {
  const ModelConfig& config = model_->config();
  const int64_t depth = config.depth();
  const bool classify_clips = request.logits || request.class_token;
  // The block before which the pass ends.
  int64_t end = classify_clips ? depth : 0;
  std::vector<bool> wanted(static_cast<size_t>(depth) + 1);
  require_distinct(request.features, "features");
  require_distinct(request.trajectories, "trajectories");
  for (const int32_t block : request.features) {
    require_features(block);
    wanted[static_cast<size_t>(block)] = true;
    end = std::max<int64_t>(end, block);
  }
  int64_t followed = -1;
  for (const int32_t block : request.trajectories) {
    require_trajectories(block);
    followed = std::max<int64_t>(followed, block);
    end = std::max<int64_t>(end, block);
  }
  check_clip_shape(config, clip);
  // Of a device's clip it is seen with the results.
  const bool whole_pass = classify_clips && request.features.empty();
  if (clip.device() == nullptr || !whole_pass) {
    require_finite_clip(all_finite({.stream = stream_}, clip));
  }
  ShapeState& state = state_for(clip.shape());
  Outputs outputs;
  std::vector<Tensor> features(wanted.size());
  if (whole_pass) {
    outputs = classify(state, clip, request, cancelled);
  } else {
    const Context context = make_context(nullptr, cancelled);
    Forward pass(context, model_->network(), config, model_->precision(), state.alignment);
    Variable tokens = pass.embed(Variable(context.upload(clip)));
    for (int64_t block = 0;; ++block) {
      if (wanted[static_cast<size_t>(block)]) {
        features[static_cast<size_t>(block)] =
            context.download(pass.patch_rows(tokens).value())
                .reshape({clip.dim(0), config.frames, config.patches(), config.dim()});
      }
      if (block == end) break;
      if (classify_clips && block == depth - 1) {
        Variable last;
        const Variable token = pass.class_token(tokens, wanted.back() ? &last : nullptr);
        if (request.class_token) outputs.class_token = context.download(token.value());
        if (request.logits) outputs.logits = context.download(pass.head(token).value());
        if (!wanted.back()) break;
        tokens = last;
      } else {
        tokens = pass.block(tokens, block);
      }
    }
    if (followed == end) pass.align(tokens, end);
    context.check_status("forward");
    trajectories_ = pass.trajectories();
  }
  for (const int32_t block : request.features) {
    outputs.features.push_back(features[static_cast<size_t>(block)]);
    check_results(all_finite(outputs.features.back()), "tokens");
  }
  for (const int32_t block : request.trajectories) {
    outputs.trajectories.push_back(trajectories(block));
  }
  check_results(!request.class_token || all_finite(outputs.class_token), "a class token");
  check_results(!request.logits || all_finite(outputs.logits), "logits");
  return outputs;
}

Tensor Session::forward(const Tensor& clip, const std::atomic<bool>* cancelled) {
  return run(clip, {.logits = true}, cancelled).logits;
}

Session::Loss Session::gradients(const Tensor& clip, const Tensor& labels,
                                 const std::atomic<bool>* cancelled) {
  check_clip({.stream = stream_}, model_->config(), clip);
  const ParameterSet& parameters = model_->parameters();
  require(labels.defined() && labels.dtype() == DType::kI64 && labels.shape() == Shape{clip.dim(0)},
          "labels must be i64 [", clip.dim(0), "], one for each clip");
  check_classes(labels, model_->config().classes);
  parameters_.clear();
  VariableWalk walk(parameters, /*requires_gradient=*/true);
  const Network network(model_->config(), walk);
  Tape tape;
  ShapeState& state = state_for(clip.shape());
  const Context context = make_context(&tape, cancelled);
  Forward run(context, network, model_->config(), model_->precision(), state.alignment);
  const Variable logits = run.logits(Variable(context.upload(clip)));
  const Variable loss = softmax_cross_entropy(context, logits, context.upload(labels));
  context.check_cancelled();
  context.backward(loss);
  const Tensor wanted[] = {logits.value(), loss.value(), stream_->status};
  const std::vector<Tensor> host = context.download(wanted);
  const Loss result = {host[0], *host[1].data<float>()};
  context.check_status(host[2], "gradients");
  check_results(all_finite(result.logits), "logits");
  check_results(std::isfinite(result.loss), "a loss");
  trajectories_ = run.trajectories();
  parameters_ = walk.variables();
  return result;
}

Tensor Session::gradient(const std::string& name) const {
  const Shape shape = model_->parameters().tensor(name).shape();
  if (parameters_.empty()) {
    fail(ATA_INVALID_STATE, "this session has computed no gradients yet; compute them first");
  }
  const auto found = parameters_.find(name);
  if (found == parameters_.end() || !found->second.gradient()) {
    return Tensor::zeros(shape, DType::kF32);
  }
  return Context{.stream = stream_}.download(found->second.gradient().reshape(shape));
}

void Session::require_features(int64_t block) const {
  const int64_t depth = model_->config().depth();
  require(block >= 0 && block <= depth, "block is ", block, "; it must be 0 to ", depth);
}

void Session::require_trajectories(int64_t block) const {
  const ModelConfig& config = model_->config();
  if (config.temporal != ATA_TEMPORAL_ATA) {
    fail(ATA_UNSUPPORTED, "mode '", temporal_mode_name(config.temporal),
         "' has no trajectories; only 'ata' has");
  }
  if (config.alignment == ATA_ALIGNMENT_SOFT) {
    fail(ATA_UNSUPPORTED, "alignment 'soft' has no trajectories");
  }
  require(block >= 0 && block < config.depth(), "block is ", block, "; it must be 0 to ",
          config.depth() - 1);
}

Tensor Session::trajectories(int64_t block) const {
  require_trajectories(block);
  const ModelConfig& config = model_->config();
  if (block >= static_cast<int64_t>(trajectories_.size())) {
    fail(ATA_INVALID_STATE, "no run of this session has reached block ", block,
         " yet; run forward first");
  }
  const Tensor& index = trajectories_[static_cast<size_t>(block)].index;
  return index ? Context{.stream = stream_}.download(index)
               : identity_trajectories({states_.front().shape[0], config.frames, config.patches()});
}

Tensor Session::features(const Tensor& clip, int32_t block, const std::atomic<bool>* cancelled) {
  return run(clip, {.features = {&block, 1}}, cancelled).features.front();
}

}  // namespace ata
