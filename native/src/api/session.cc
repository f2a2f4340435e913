#include "model/session.h"

#include <algorithm>

#include "api/boundary.h"
#include "api/handles.h"
#include "base/threads.h"

using ata::api::flag_of;
using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::read_struct;
using ata::api::require_pointer;
using ata::api::tensor_for;
using ata::api::thread_limit;

namespace {

template <typename T>
T* copy_values(const ata::Tensor& from, T* to) {
  const auto values = from.values<T>();
  return std::copy(values.begin(), values.end(), to);
}

// Buffers are checked before the work, so that a wrong one costs nothing.

const ata::Tensor& clip_of(const ata_session* session, const ata_tensor* clip) {
  return tensor_for(session->session.model().device(), clip, "clip");
}

int64_t batch_of(const ata_session* session, const ata_tensor* clip) {
  ata::check_clip_shape(session->session.model().config(), clip->tensor);
  return clip->tensor.dim(0);
}

void check_logits(const ata_session* session, const ata_tensor* clip, const float* logits,
                  size_t count) {
  const int64_t classes = session->session.model().config().classes;
  const int64_t batch = batch_of(session, clip);
  require_pointer(logits, "logits");
  ata::require(count == static_cast<size_t>(batch * classes), "logits has room for ", count,
               " values; ", batch, " clips of ", classes, " classes need ", batch * classes);
}

// `blocks` results of `each` values; a buffer that is not wanted is null and has no length.
void check_room(const void* buffer, size_t count, size_t blocks, size_t each, const char* name) {
  if (buffer == nullptr) {
    ata::require(count == 0 && blocks == 0, "ata_session_outputs.", name,
                 " is NULL and is to have room for ", count, " values of ", blocks, " results");
    return;
  }
  // Divided, since a product with a hostile number of blocks may not fit.
  ata::require(blocks > 0 && each > 0 && count % each == 0 && count / each == blocks,
               "ata_session_outputs.", name, " has room for ", count, " values; ", blocks,
               " results of ", each, " are to go there");
}

std::span<const int32_t> blocks_of(const int32_t* blocks, size_t count, const char* name) {
  if (count > 0) require_pointer(blocks, name);
  return {blocks, count};
}

// What a caller wants, checked against its buffers.
ata::Session::Request request_of(const ata_session* session, const ata_tensor* clip,
                                 const ata_session_outputs& outputs) {
  const ata::ModelConfig& config = session->session.model().config();
  const auto batch = static_cast<size_t>(batch_of(session, clip));
  const size_t tokens = batch * static_cast<size_t>(config.frames * config.patches());
  check_room(outputs.logits, outputs.logits_count, outputs.logits != nullptr ? 1 : 0,
             batch * static_cast<size_t>(config.classes), "logits");
  check_room(outputs.class_token, outputs.class_token_count, outputs.class_token != nullptr ? 1 : 0,
             batch * static_cast<size_t>(config.dim()), "class_token");
  check_room(outputs.features, outputs.features_count, outputs.feature_block_count,
             tokens * static_cast<size_t>(config.dim()), "features");
  check_room(outputs.trajectories, outputs.trajectories_count, outputs.trajectory_block_count,
             tokens, "trajectories");
  const ata::Session::Request request = {
      .logits = outputs.logits != nullptr,
      .class_token = outputs.class_token != nullptr,
      .features = blocks_of(outputs.feature_blocks, outputs.feature_block_count,
                            "ata_session_outputs.feature_blocks"),
      .trajectories = blocks_of(outputs.trajectory_blocks, outputs.trajectory_block_count,
                                "ata_session_outputs.trajectory_blocks")};
  ata::require(request.logits || request.class_token || outputs.features != nullptr ||
                   outputs.trajectories != nullptr,
               "ata_session_outputs asks for nothing; give it a buffer");
  return request;
}

}  // namespace

ata_status ata_session_options_init(ata_session_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, ata_session_options{}, "ata_session_options");
}

ata_status ata_session_create(const ata_model* model, const ata_session_options* options,
                              ata_session** session) noexcept {
  return guard([&] {
    require_pointer(model, "model");
    require_pointer(session, "session");
    const ata_session_options given =
        options_or_default(options, ata_session_options{}, "ata_session_options");
    const int threads = thread_limit(given.threads, "ata_session_options.threads");
    *session = new ata_session{ata::Session(model->model, given.stream), threads};
  });
}

void ata_session_release(ata_session* session) noexcept {
  delete session;
}

ata_status ata_session_forward(ata_session* session, const ata_tensor* clip,
                               const ata_cancellation* cancellation, float* logits,
                               size_t logits_count) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(clip, "clip");
    check_logits(session, clip, logits, logits_count);
    const ata::ThreadLimit limit(session->threads);
    copy_values(session->session.forward(clip_of(session, clip), flag_of(cancellation)), logits);
  });
}

ata_status ata_session_compute_gradients(ata_session* session, const ata_tensor* clip,
                                         const ata_tensor* labels,
                                         const ata_cancellation* cancellation, float* logits,
                                         size_t logits_count, float* loss) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(clip, "clip");
    require_pointer(labels, "labels");
    require_pointer(loss, "loss");
    check_logits(session, clip, logits, logits_count);
    const ata::ThreadLimit limit(session->threads);
    const auto result = session->session.gradients(
        clip_of(session, clip),
        ata::api::brought_to_host(session->session.model().device(), labels, "labels"),
        flag_of(cancellation));
    copy_values(result.logits, logits);
    *loss = result.loss;
  });
}

ata_status ata_session_get_gradient(const ata_session* session, const char* name,
                                    ata_tensor** gradient) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(name, "name");
    require_pointer(gradient, "gradient");
    *gradient = make_handle(session->session.gradient(name)).release();
  });
}

ata_status ata_session_get_trajectories(const ata_session* session, int32_t block,
                                        ata_tensor** trajectories) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(trajectories, "trajectories");
    *trajectories = make_handle(session->session.trajectories(block)).release();
  });
}

ata_status ata_session_outputs_init(ata_session_outputs* outputs, size_t struct_size) noexcept {
  return init_options(outputs, struct_size, ata_session_outputs{}, "ata_session_outputs");
}

ata_status ata_session_run(ata_session* session, const ata_tensor* clip,
                           const ata_cancellation* cancellation,
                           const ata_session_outputs* outputs) noexcept {
  return guard([&] {
    require_pointer(session, "session");
    require_pointer(clip, "clip");
    require_pointer(outputs, "outputs");
    const ata_session_outputs to =
        read_struct(outputs, ata_session_outputs{}, "ata_session_outputs");
    const ata::ThreadLimit limit(session->threads);
    const ata::Session::Outputs results = session->session.run(
        clip_of(session, clip), request_of(session, clip, to), flag_of(cancellation));
    if (to.logits != nullptr) copy_values(results.logits, to.logits);
    if (to.class_token != nullptr) copy_values(results.class_token, to.class_token);
    float* features = to.features;
    for (const ata::Tensor& tensor : results.features) features = copy_values(tensor, features);
    int32_t* trajectories = to.trajectories;
    for (const ata::Tensor& tensor : results.trajectories) {
      trajectories = copy_values(tensor, trajectories);
    }
  });
}
