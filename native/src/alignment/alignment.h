#ifndef ATA_ALIGNMENT_ALIGNMENT_H_
#define ATA_ALIGNMENT_ALIGNMENT_H_

#include <cstdint>
#include <vector>

#include "alignment/similarity.h"
#include "alignment/transport.h"
#include "alignment/window.h"
#include "assignment/assignment.h"
#include "tensor/layout.h"
#include "tensor/tensor.h"

namespace ata {

/// How neighbouring frames are aligned; values as in the C API.
enum class AlignmentMethod : int32_t {
  kExact = ATA_ALIGNMENT_EXACT,
  kNone = ATA_ALIGNMENT_NONE,
  kNearest = ATA_ALIGNMENT_NEAREST,
  kWindow = ATA_ALIGNMENT_WINDOW,
  kSinkhorn = ATA_ALIGNMENT_SINKHORN,
  kSoft = ATA_ALIGNMENT_SOFT,
};

/// Parameters of an alignment; see ata_alignment_options.
struct AlignmentOptions {
  AlignmentMethod method = AlignmentMethod::kExact;
  int window_radius = 3;
  float temperature = 0.05F;
  int iterations = 50;
  /// Patch rows and columns of a frame, used by `window` alone; 0 x 0: the grid is square.
  int grid_height = 0;
  int grid_width = 0;
  /// Of the similarities of whole frames; `window` computes its few in float32.
  SimilarityProduct product = SimilarityProduct::kF32;
};

/// The patch grid that `window` uses; throws ATA_INVALID_ARGUMENT when `patches` do not fill it.
PatchGrid window_grid(const AlignmentOptions& options, int64_t patches);

/// Throws ATA_INVALID_ARGUMENT when an option is out of range, or when `window` cannot arrange
/// `patches` patches in its grid.
void validate(const AlignmentOptions& options, int64_t patches);

/// validate(), and throws ATA_UNSUPPORTED for `soft`, which has no trajectories.
void validate_trajectories(const AlignmentOptions& options, int64_t patches);

/// Scratch memory of matching one pair of frames.
struct MatchWorkspace {
  AssignmentWorkspace assignment;
  TransportWorkspace transport;
  AlignedBuffer<float> plan;
  WindowMatcher window;
};

/// Scratch memory of align_features(), reused between calls. One call at a time.
struct AlignmentWorkspace {
  std::vector<NormalizedFrame> frames;
  std::vector<MatchWorkspace> workers;
  AlignedBuffer<float> similarity;
  AlignedBuffer<int32_t> matches;
  AlignedBuffer<float> row;

  // What the next part of the clips needs of this one: each clip's last frame, and the patches of
  // its trajectories there.
  std::vector<NormalizedFrame> last_frames;
  AlignedBuffer<int32_t> last_patches;
  /// The last frames of a call that may still fail.
  std::vector<NormalizedFrame> new_last_frames;
};

/// Aligns clips and chains the matchings into trajectories. Parallel inside; the result does not
/// depend on the number of threads.
///
/// @param features f32 `[clips, frames, patches, channels]`, contiguous, finite.
/// @param trajectories Receives i32 `[clips, frames, patches]`: the patch of frame t on trajectory
///   n. Frame 0 is the identity; each frame is a permutation except with `nearest`.
/// @param similarities Receives f32 `[clips, frames - 1, patches]`, the cosine similarity of
///   trajectory n's patches in frames t and t + 1; or null.
/// @param column_duals `[clips, frames - 1, patches]` or null: `exact` starts its searches from
///   these (zeros to begin with) and leaves the final ones for the next call on similar features,
///   such as those of the next layer. They change the speed, not the result, except that among
///   equally good matchings another may be found.
/// @param part The clips may come in parts, with one workspace. Each part's trajectories are those
///   that the whole clip has in its frames. A part that is not the first has one more pair of
///   frames, its first: `similarities` and `column_duals` are `[clips, frames, patches]`. One that
///   is refused leaves the parts before as they were.
///
/// `soft` has no trajectories and is ATA_UNSUPPORTED.
void align_features(const float* features, const ClipLayout& layout, int64_t channels,
                    const AlignmentOptions& options, AlignmentWorkspace& workspace,
                    int32_t* trajectories, float* similarities = nullptr,
                    double* column_duals = nullptr, const ClipPart& part = {});

}  // namespace ata

#endif  // ATA_ALIGNMENT_ALIGNMENT_H_
