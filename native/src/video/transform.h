#ifndef ATA_VIDEO_TRANSFORM_H_
#define ATA_VIDEO_TRANSFORM_H_

#include <cstdint>
#include <vector>

#include "ata/ata.h"

namespace ata {

/// How one axis of a frame becomes one axis of the output: the `source_length` samples from
/// `source_begin` on, taken alone, are resized to `scaled_length` samples, of which `length` from
/// `offset` on are kept, in reverse order if `mirrored`.
struct AxisMap {
  int64_t source_begin = 0;
  int64_t source_length = 0;
  int64_t scaled_length = 0;
  int64_t offset = 0;
  int64_t length = 0;
  bool mirrored = false;
};

struct CropMaps {
  AxisMap vertical;
  AxisMap horizontal;
};

/// The crop that `options` (checked by check_clip_options) ask of a `height` x `width` frame. The
/// shorter side is resized to `resize`, the longer to floor(resize * longer / shorter). Crop
/// positions are rounded up: ceil(slack / 2) for the centre. A `crop_rectangle` is rounded to whole
/// pixels.
CropMaps crop_maps(const ata_clip_options& options, int64_t height, int64_t width);

/// Resizes, crops, mirrors and normalises frames of one size in one pass. Resizing is separable and
/// antialiased as in Pillow and torchvision (antialias=True): output i is the normalised sum of
/// filter((j + 1/2 - centre) / s) over the inputs j, where centre = (i + 1/2) * ratio,
/// ratio = input length / output length, s = max(ratio, 1), and the filter is the triangle or the
/// cubic with a = -1/2. Nothing is rounded to 8 bits on the way; cubic overshoot is clamped to
/// 0..255. Immutable: one object may be used by several threads at once.
class FrameTransform {
 public:
  FrameTransform(const ata_clip_options& options, int64_t height, int64_t width);

  /// `rgb`: u8 [height, width, 3]. Writes (value / 255 - mean) / std of channel c at
  /// `out + c * channel_stride`, `size` rows of `size` values each.
  void apply(const uint8_t* rgb, float* out, int64_t channel_stride) const;

  /// The inputs of each output along one axis: weights[first_weight + k] belongs to input begin +
  /// k.
  struct Taps {
    struct Entry {
      int32_t begin;
      int32_t count;
      int32_t first_weight;
    };
    std::vector<Entry> entries;
    std::vector<float> weights;
  };

  struct Plan {
    int64_t row_bytes;     ///< Of a source row.
    int64_t column_begin;  ///< Source columns that any output needs.
    int64_t column_end;
    Taps vertical;
    Taps horizontal;  ///< `begin` counts from column_begin.
    float scale[3];   ///< Output is value * scale + bias.
    float bias[3];
  };

 private:
  Plan plan_;
};

}  // namespace ata

#endif  // ATA_VIDEO_TRANSFORM_H_
