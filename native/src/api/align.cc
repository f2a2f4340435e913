#include "api/alignment_options.h"
#include "api/boundary.h"
#include "base/threads.h"
#include "information/mutual_information.h"
#include "information/principal_components.h"
#include "ops/alignment.h"
#include "ops/online_aligner.h"

using ata::api::alignment_options;
using ata::api::device_named;
using ata::api::guard;
using ata::api::host_tensor;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::require_enum;
using ata::api::require_pointer;
using ata::api::tensor_for;
using ata::api::thread_limit;

struct ata_online_aligner {
  ata::OnlineAligner aligner;
  /// For ThreadLimit.
  int threads = 0;
};

namespace {

ata_alignment_options default_alignment_options() {
  const ata::AlignmentOptions defaults;
  return {sizeof(ata_alignment_options),
          static_cast<ata_alignment>(defaults.method),
          defaults.window_radius,
          defaults.temperature,
          defaults.iterations,
          defaults.grid_height,
          defaults.grid_width,
          nullptr,
          0};
}

ata_mi_options default_mi_options() {
  const ata::InformationOptions defaults;
  return {sizeof(ata_mi_options), static_cast<ata_mi_estimator>(defaults.estimator),
          defaults.components,    defaults.neighbours,
          defaults.max_samples,   0};
}

struct GivenInformation {
  ata::InformationOptions options;
  /// For ThreadLimit.
  int threads;
};

GivenInformation information_options(const ata_mi_options* options) {
  const ata_mi_options given = options_or_default(options, default_mi_options(), "ata_mi_options");
  require_enum(given.estimator, ATA_MI_INFONCE, "ata_mi_options.estimator");
  ata::require(given.components >= 0, "ata_mi_options.components is ", given.components,
               "; it must be at least 0");
  ata::require(given.max_pairs >= 16, "ata_mi_options.max_pairs is ", given.max_pairs,
               "; it must be at least 16");
  ata::InformationOptions result;
  result.estimator = static_cast<ata::InformationEstimator>(given.estimator);
  result.components = given.components;
  result.neighbours = given.neighbours;
  result.max_samples = given.max_pairs;
  return {result, thread_limit(given.threads, "ata_mi_options.threads")};
}

// The principal components of a tensor of samples, f32 [S, D].
ata::SampleMatrix components_of(const ata_tensor* tensor, const char* name, int components) {
  const ata::Tensor& samples = host_tensor(tensor, name);
  ata::require(samples.dtype() == ata::DType::kF32 && samples.rank() == 2, name, " is ",
               ata::dtype_name(samples.dtype()), " ", samples.shape().to_string(),
               ", not f32 [S, D]");
  const int64_t channels = samples.dim(1);
  return ata::principal_components(
      samples.data<float>(), samples.dim(0), channels,
      components > 0 ? std::min<int64_t>(components, channels) : channels);
}

}  // namespace

ata::api::GivenAlignment ata::api::alignment_options(const ata_alignment_options* options) {
  const ata_alignment_options given =
      options_or_default(options, default_alignment_options(), "ata_alignment_options");
  require_enum(given.method, ATA_ALIGNMENT_SOFT, "ata_alignment_options.method");
  ata::AlignmentOptions result;
  result.method = static_cast<ata::AlignmentMethod>(given.method);
  result.window_radius = given.window_radius;
  result.temperature = given.temperature;
  result.iterations = given.iterations;
  result.grid_height = given.grid_height;
  result.grid_width = given.grid_width;
  return {result, given.device, thread_limit(given.threads, "ata_alignment_options.threads")};
}

ata_status ata_alignment_options_init(ata_alignment_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, default_alignment_options(), "ata_alignment_options");
}

ata_status ata_align(const ata_tensor* features, const ata_alignment_options* options,
                     ata_tensor** trajectories, ata_tensor** similarities) noexcept {
  return guard([&] {
    require_pointer(features, "features");
    require_pointer(trajectories, "trajectories");
    const ata::api::GivenAlignment given = alignment_options(options);
    ata::Device& device = device_named(given.device);
    const ata::Tensor& input = tensor_for(device, features, "features");
    ata::require(input.dtype() == ata::DType::kF32 && input.rank() == 4, "features is ",
                 ata::dtype_name(input.dtype()), " ", input.shape().to_string(),
                 ", not f32 [B, T, N, D]");
    const ata::ClipLayout layout = {input.dim(0), input.dim(1), input.dim(2)};
    const ata::ThreadLimit limit(given.threads);
    const ata::Context context = ata::make_context(device);
    const ata::Tensor rows = context.upload(input.reshape({layout.patch_rows(), input.dim(3)}));
    ata::AlignmentState state;
    ata::Tensor along;
    const ata::Trajectories result =
        ata::align(context, rows, layout, given.options, state, similarities ? &along : nullptr);
    const auto to_host = [&](const ata::Tensor& tensor) {
      return make_handle(context.download(tensor, /*may_share=*/true));
    };
    auto first =
        result.index ? to_host(result.index) : make_handle(ata::identity_trajectories(layout));
    auto second = similarities ? to_host(along) : nullptr;
    context.check_status("alignment", ATA_INVALID_ARGUMENT);
    if (similarities) *similarities = second.release();
    *trajectories = first.release();
  });
}

ata_status ata_online_aligner_create(int64_t patches, int64_t channels,
                                     const ata_alignment_options* options,
                                     ata_online_aligner** aligner) noexcept {
  return guard([&] {
    require_pointer(aligner, "aligner");
    const ata::api::GivenAlignment given = alignment_options(options);
    *aligner = new ata_online_aligner{
        ata::OnlineAligner(device_named(given.device), given.options, patches, channels),
        given.threads};
  });
}

void ata_online_aligner_release(ata_online_aligner* aligner) noexcept {
  delete aligner;
}

ata_status ata_online_aligner_add(ata_online_aligner* aligner, const ata_tensor* frame,
                                  int32_t* positions, float* similarities,
                                  size_t capacity) noexcept {
  return guard([&] {
    require_pointer(aligner, "aligner");
    require_pointer(frame, "frame");
    require_pointer(positions, "positions");
    ata::require(capacity == static_cast<size_t>(aligner->aligner.patches()), "capacity is ",
                 capacity, "; the aligner has ", aligner->aligner.patches(), " patches");
    const ata::ThreadLimit limit(aligner->threads);
    const auto patches =
        aligner->aligner.push(tensor_for(aligner->aligner.device(), frame, "frame"));
    std::copy(patches.begin(), patches.end(), positions);
    if (similarities) {
      const auto values = aligner->aligner.similarities();
      if (values.empty()) {
        std::fill_n(similarities, capacity, 1.0f);
      } else {
        std::copy(values.begin(), values.end(), similarities);
      }
    }
  });
}

ata_status ata_online_aligner_reset(ata_online_aligner* aligner) noexcept {
  return guard([&] {
    require_pointer(aligner, "aligner");
    aligner->aligner.reset();
  });
}

ata_status ata_mi_options_init(ata_mi_options* options, size_t struct_size) noexcept {
  return init_options(options, struct_size, default_mi_options(), "ata_mi_options");
}

ata_status ata_mutual_information_estimate(const ata_tensor* x, const ata_tensor* y,
                                           const ata_mi_options* options, double* nats) noexcept {
  return guard([&] {
    require_pointer(x, "x");
    require_pointer(y, "y");
    require_pointer(nats, "nats");
    const GivenInformation given = information_options(options);
    const ata::ThreadLimit limit(given.threads);
    const ata::SampleMatrix left = components_of(x, "x", given.options.components);
    const ata::SampleMatrix right = components_of(y, "y", given.options.components);
    ata::require(left.count == right.count, "x has ", left.count, " samples and y has ",
                 right.count, "; they must be pairs");
    *nats = ata::mutual_information(left, right, given.options);
  });
}

ata_status ata_temporal_information_estimate(const ata_tensor* features,
                                             const ata_tensor* trajectories,
                                             const ata_mi_options* options, double* before,
                                             double* after) noexcept {
  return guard([&] {
    require_pointer(features, "features");
    require_pointer(trajectories, "trajectories");
    require_pointer(before, "before");
    require_pointer(after, "after");
    const GivenInformation given = information_options(options);
    const ata::ThreadLimit limit(given.threads);
    const ata::AlignmentInformation information =
        ata::alignment_information(host_tensor(features, "features"),
                                   host_tensor(trajectories, "trajectories"), given.options);
    *before = information.before;
    *after = information.after;
  });
}
