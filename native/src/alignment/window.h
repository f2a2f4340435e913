#ifndef ATA_ALIGNMENT_WINDOW_H_
#define ATA_ALIGNMENT_WINDOW_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "alignment/similarity.h"

namespace ata {

/// Patch rows and columns of a frame.
struct PatchGrid {
  int height;
  int width;
};

/// Which patches of the next frame a patch may move to: those at most `radius` patch rows and
/// columns away. A move costs 1 - similarity.
class WindowMatcher {
 public:
  /// Matches one-to-one with the greatest total similarity among allowed pairs: a sparse assignment
  /// problem, solved exactly in float64 by shortest augmenting paths with a heap. Only the
  /// similarities of allowed pairs are computed. There is always a solution: nobody moves.
  /// @param match Receives the patch of `next` for each patch of `now`.
  /// @param similarities Receives the similarity of each matched pair, or null.
  void match(const NormalizedFrame& now, const NormalizedFrame& next, const PatchGrid& grid,
             int radius, int32_t* match, float* similarities);

 private:
  void find_pairs(const NormalizedFrame& now, const NormalizedFrame& next, const PatchGrid& grid,
                  int radius);
  void reduce();
  void augment(int free_row);

  // Allowed pairs of row i: [first_[i], first_[i + 1]).
  std::vector<int32_t> first_;
  std::vector<int32_t> column_;
  std::vector<float> similarity_;

  std::vector<double> row_dual_;
  std::vector<double> column_dual_;
  std::vector<int32_t> column_of_;
  std::vector<int32_t> row_of_;
  std::vector<double> distance_;
  std::vector<int32_t> predecessor_;
  std::vector<bool> final_;
  std::vector<int32_t> touched_;
  std::vector<std::pair<double, int32_t>> heap_;
};

}  // namespace ata

#endif  // ATA_ALIGNMENT_WINDOW_H_
