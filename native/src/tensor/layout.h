#ifndef ATA_TENSOR_LAYOUT_H_
#define ATA_TENSOR_LAYOUT_H_

#include <cstdint>

namespace ata {

/// How the rows of a matrix are the patches of clips: `clips * frames * patches` rows in that
/// order, the patches of a frame in a row. A matrix of tokens has a class row for each clip after
/// them.
struct ClipLayout {
  int64_t clips = 1;
  int64_t frames = 1;
  /// Of one frame.
  int64_t patches = 1;

  int64_t frame_count() const { return clips * frames; }
  int64_t patch_rows() const { return clips * frames * patches; }
  /// Patches and class tokens.
  int64_t token_rows() const { return patch_rows() + clips; }
  /// Number of pairs of neighbouring frames.
  int64_t pairs() const { return clips * (frames > 0 ? frames - 1 : 0); }
  /// The first frame of a pair, counted through all clips; the second is the next.
  int64_t first_frame(int64_t pair) const {
    return pair / (frames - 1) * frames + pair % (frames - 1);
  }
};

/// Clips that come in parts, a call each.
struct ClipPart {
  /// How many frames of each clip the calls before had; 0: the clips begin.
  int64_t frames_before = 0;
  /// Another part may follow.
  bool continues = false;
};

}  // namespace ata

#endif  // ATA_TENSOR_LAYOUT_H_
