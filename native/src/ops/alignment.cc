#include "ops/alignment.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "ops/checks.h"

namespace ata {
namespace {

Tensor count_visits(const Context& context, const Tensor& index) {
  Tensor visits = context.empty(index.shape(), DType::kI32);
  context.run(&Kernels::count_visits, index, visits);
  return visits;
}

}  // namespace

Trajectories align(const Context& context, const Tensor& features, const ClipLayout& layout,
                   const AlignmentOptions& options, AlignmentState& state, Tensor* similarities) {
  require(features.defined(), "align: the features are missing");
  check_matrix("align", "the features", features, /*allow_bf16=*/false);
  require(layout.frames >= 1 && layout.patches >= 1 && features.dim(1) >= 1 &&
              features.dim(0) == layout.patch_rows(),
          "align: features of shape ", features.shape().to_string(), " are not ", layout.clips,
          " clips of ", layout.frames, " frames of ", layout.patches, " patches");
  validate_trajectories(options, layout.patches);
  if (options.method == AlignmentMethod::kNone && similarities == nullptr) return {};
  Tensor index = context.empty({layout.clips, layout.frames, layout.patches}, DType::kI32);
  const Shape prices = {layout.clips, layout.frames - 1, layout.patches};
  if (state.warm_start && !(state.column_duals && state.column_duals.shape() == prices)) {
    state.column_duals = context.zeros(prices, DType::kF64);
  }
  Tensor none;
  if (similarities != nullptr) {
    *similarities = context.empty({layout.clips, layout.frames - 1, layout.patches});
  }
  context.run(&Kernels::align, features, layout, options, ClipPart{}, state.scratch,
              state.column_duals, index, similarities != nullptr ? *similarities : none);
  const bool may_meet = options.method == AlignmentMethod::kNearest && layout.frames > 1;
  return {index, may_meet ? count_visits(context, index) : Tensor()};
}

Tensor identity_trajectories(const ClipLayout& layout) {
  Tensor index({layout.clips, layout.frames, layout.patches}, DType::kI32);
  int32_t* patches = index.data<int32_t>();
  for (int64_t frame = 0; frame < layout.frame_count(); ++frame, patches += layout.patches) {
    std::iota(patches, patches + layout.patches, 0);
  }
  return index;
}

Trajectories trajectories_along(const Context& context, const Tensor& index) {
  require(index.dtype() == DType::kI32 && index.rank() == 3,
          "trajectories must be i32 [B, T, N], not ", dtype_name(index.dtype()), " of shape ",
          index.shape().to_string());
  const int64_t patches = index.dim(2);
  const int32_t* values = index.data<int32_t>();
  std::vector<bool> seen(static_cast<size_t>(patches));
  bool once = true;
  for (int64_t frame = 0; frame < index.dim(0) * index.dim(1); ++frame) {
    std::fill(seen.begin(), seen.end(), false);
    for (int64_t n = 0; n < patches; ++n) {
      const int32_t patch = *values++;
      require(patch >= 0 && patch < patches, "trajectories of shape ", index.shape().to_string(),
              " hold patch ", patch, "; a frame has the patches 0 to ", patches - 1);
      once = once && !seen[static_cast<size_t>(patch)];
      seen[static_cast<size_t>(patch)] = true;
    }
  }
  const Tensor uploaded = context.upload(index);
  return {uploaded, once ? Tensor() : count_visits(context, uploaded)};
}

}  // namespace ata
