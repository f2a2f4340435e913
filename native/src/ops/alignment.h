#ifndef ATA_OPS_ALIGNMENT_H_
#define ATA_OPS_ALIGNMENT_H_

#include <memory>

#include "alignment/alignment.h"
#include "ops/context.h"

namespace ata {

/// Paths of patches through the frames of clips.
struct Trajectories {
  /// i32 `[B, T, N]`: the patch of frame t on trajectory n. Empty: every patch stays in place.
  Tensor index;
  /// i32 `[B, T, N]`: how many trajectories meet in each patch. Empty when one passes through each,
  /// which every method but `nearest` promises.
  Tensor visits;
};

/// What an alignment leaves for the next. One call at a time.
struct AlignmentState {
  /// Let the searches of `exact` start from the prices that the last call, on similar features such
  /// as those of the block before, ended with. They change the speed, not the result, except that
  /// among equally good matchings another may be found.
  bool warm_start = false;
  /// Those prices, f64 `[B, T - 1, N]`; empty: from zero.
  Tensor column_duals = {};
  /// The device's, to spare allocation.
  std::shared_ptr<AlignmentScratch> scratch = {};
};

/// Aligns the frames of clips, features f32 `[layout.patch_rows(), D]`, and chains the matchings
/// into trajectories; by any method but `soft`, which is ATA_UNSUPPORTED (ops/soft_alignment.h).
/// `none` stays in place. The result does not depend on the state. Features that are not finite are
/// ATA_INVALID_ARGUMENT here, or ATA_NOT_FINITE in Context::check_status() where only the device
/// sees it.
///
/// `similarities` receives f32 `[B, T - 1, N]`, the cosine similarity of trajectory n's patches in
/// frames t and t + 1; or null.
Trajectories align(const Context& context, const Tensor& features, const ClipLayout& layout,
                   const AlignmentOptions& options, AlignmentState& state,
                   Tensor* similarities = nullptr);

/// The trajectories that stay in place, as an index in the host's memory.
Tensor identity_trajectories(const ClipLayout& layout);

/// Trajectories of that index, i32 `[B, T, N]` in the host's memory. Throws ATA_INVALID_ARGUMENT
/// for an index outside 0..N-1. Visits are counted where some patch is not visited once.
Trajectories trajectories_along(const Context& context, const Tensor& index);

}  // namespace ata

#endif  // ATA_OPS_ALIGNMENT_H_
