#ifndef ATA_ALIGNMENT_PAIR_MATCHER_H_
#define ATA_ALIGNMENT_PAIR_MATCHER_H_

#include <cstdint>

#include "alignment/alignment.h"

namespace ata {

/// Whether the method needs the similarities of all pairs of patches.
bool needs_similarity_matrix(AlignmentMethod method);

/// The product that the method's frames are to be assigned for.
SimilarityProduct frame_product(const AlignmentOptions& options);

/// Matches the patches of one frame with those of the next, by any method that has trajectories.
/// @param similarity `[patches, patches]` when the method needs it, else null.
/// @param pair The number that an error message names.
/// @param column_duals Start and result of `exact`, or null; see align_features().
/// @param match Receives the patch of `next` for each patch of `now`.
/// @param similarities Receives the similarity of each pair matched, or null.
void match_pair(const NormalizedFrame& now, const NormalizedFrame& next, const float* similarity,
                const AlignmentOptions& options, MatchWorkspace& workspace, int64_t pair,
                double* column_duals, int32_t* match, float* similarities);

}  // namespace ata

#endif  // ATA_ALIGNMENT_PAIR_MATCHER_H_
