#include "alignment/alignment.h"

#include <algorithm>

#include "cuda/entries.h"
#include "cuda/kernels/assignment_problems.h"
#include "cuda/kernels/similarity.h"
#include "cuda/kernels/trajectories.h"
#include "cuda/kernels/transport.h"

namespace ata::cuda {
namespace {

// Matrices of this many bytes are held at once.
constexpr int64_t kGroupBytes = int64_t{256} << 20;

// What the next part of the clips needs of this one: each clip's last frame, and the patches of its
// trajectories there.
class CudaAlignmentScratch : public AlignmentScratch {
 public:
  Tensor features;  // f32 [clips, patches, channels]
  Tensor scales;    // f64 [clips, patches]
  Tensor patches;   // i32 [clips, patches]
};

// `size` elements of each of a frame's patches.
template <class T>
void keep(Stream& stream, const T* from, const ClipLayout& layout, int64_t size, const int* refused,
          Tensor& to) {
  const Shape shape = {layout.clips, layout.patches, size};
  if (!to || to.shape() != shape) to = Tensor(shape, dtype_of<T>(), stream.allocator);
  keep_last_frames(stream, from, layout.clips, layout.frames, layout.patches * size, refused,
                   elements<T>(to));
}

// An alignment on its way.
struct Alignment {
  Stream& stream;
  const FramePairs& pairs;
  const AlignmentOptions& options;
  int32_t* matches;     // [pairs, patches]
  float* similarities;  // [pairs, patches] or null
  double* column_duals;
};

// Matches by similarities (or plans) of pairs [begin, begin + count).
void assign_pairs(const Alignment& alignment, const float* values, int64_t begin, int64_t count,
                  double* column_duals) {
  const int64_t patches = alignment.pairs.patches;
  Stream& stream = alignment.stream;
  Tensor ranges({count * static_cast<int64_t>(sizeof(ValueRange))}, DType::kU8, stream.allocator);
  Tensor own_duals;
  if (column_duals == nullptr) {
    own_duals = Tensor({count, patches}, DType::kF64, stream.allocator);
  }
  Problems problems = {};
  problems.values = values;
  problems.count = count;
  problems.rows = problems.columns = static_cast<int>(patches);
  problems.stride = similarity_stride(patches);
  problems.maximize = true;
  problems.warm = column_duals != nullptr;
  problems.ranges = static_cast<ValueRange*>(ranges.address());
  problems.matching = alignment.matches + begin * patches;
  problems.column_duals =
      column_duals != nullptr ? column_duals + begin * patches : elements<double>(own_duals);
  solve(stream, problems);
}

void match_group(const Alignment& alignment, int64_t begin, int64_t count) {
  const int64_t patches = alignment.pairs.patches, stride = similarity_stride(patches);
  const AlignmentOptions& options = alignment.options;
  Stream& stream = alignment.stream;
  Window window;
  if (options.method == AlignmentMethod::kWindow) {
    window = {window_grid(options, patches).width, options.window_radius};
  }
  Tensor matrices({count, patches, stride}, DType::kF32, stream.allocator);
  float* values = elements<float>(matrices);
  if (options.product == SimilarityProduct::kFastest && window.radius < 0 &&
      properties(stream).architecture >= 80) {
    multiply_split_frames(stream, alignment.pairs, begin, count, values);
  } else {
    multiply_frames(stream, alignment.pairs, begin, count, window, values);
  }
  switch (options.method) {
    case AlignmentMethod::kNearest:
      find_greatest(stream, values, count * patches, patches, stride,
                    alignment.matches + begin * patches);
      break;
    case AlignmentMethod::kSinkhorn: {
      Tensor plans(matrices.shape(), DType::kF32, stream.allocator);
      entropic_transport(stream, values, count, patches, stride, options.temperature,
                         options.iterations, elements<float>(plans));
      assign_pairs(alignment, elements<float>(plans), begin, count, nullptr);
      break;
    }
    default:
      assign_pairs(alignment, values, begin, count,
                   options.method == AlignmentMethod::kExact ? alignment.column_duals : nullptr);
  }
  if (alignment.similarities == nullptr) return;
  pick(stream, values, count * patches, stride, alignment.matches + begin * patches,
       alignment.similarities + begin * patches);
}

void match_pairs(const Alignment& alignment) {
  const int64_t patches = alignment.pairs.patches;
  require(patches <= kMaxAssignmentExtent, "alignment of ", patches,
          " patches a frame; it can align 1 to ", int{kMaxAssignmentExtent});
  const int64_t matrix = patches * similarity_stride(patches) * int64_t{sizeof(float)};
  const int64_t group = std::max<int64_t>(1, kGroupBytes / matrix);
  const int64_t pairs = alignment.pairs.count();
  for (int64_t begin = 0; begin < pairs; begin += group) {
    match_group(alignment, begin, std::min(group, pairs - begin));
  }
}

}  // namespace

void align(Stream& stream, const Tensor& features, const ClipLayout& layout,
           const AlignmentOptions& options, const ClipPart& part,
           std::shared_ptr<AlignmentScratch>& scratch, Tensor& column_duals, Tensor& trajectories,
           Tensor& similarities) {
  if (trajectories.count() == 0) return;
  const bool stays = options.method == AlignmentMethod::kNone;
  const bool joined = part.frames_before > 0;
  const int64_t channels = features.dim(1);
  if (!part.continues && ((layout.frames == 1 && !joined) || (stays && !similarities))) {
    stay_in_place(stream, layout.frame_count(), layout.patches, elements<int32_t>(trajectories));
    return;
  }
  if (!scratch) scratch = std::make_shared<CudaAlignmentScratch>();
  auto& kept = static_cast<CudaAlignmentScratch&>(*scratch);
  if (joined &&
      (!kept.patches || kept.features.shape() != Shape({layout.clips, layout.patches, channels}))) {
    fail(ATA_INTERNAL, "alignment: the clips go on where none like them ended");
  }
  Tensor scales({layout.patch_rows()}, DType::kF64, stream.allocator);
  Tensor refused({1}, DType::kI32, stream.allocator);
  stream.device.fill(refused.address(), 0, refused.bytes(), stream);
  find_scales(stream, elements<float>(features), layout.patch_rows(), channels,
              elements<double>(scales), elements<int32_t>(stream.status),
              elements<int32_t>(refused));

  FramePairs pairs = {};
  pairs.frames = {elements<float>(features), elements<double>(scales)};
  if (joined) pairs.before = {elements<float>(kept.features), elements<double>(kept.scales)};
  pairs.clips = layout.clips;
  pairs.frames_per_clip = layout.frames;
  pairs.patches = layout.patches;
  pairs.channels = channels;
  const Shape lines = {std::max<int64_t>(pairs.count(), 1), layout.patches};
  Tensor matches, of_matches;
  if (!stays) matches = Tensor(lines, DType::kI32, stream.allocator);
  if (similarities) of_matches = Tensor(lines, DType::kF32, stream.allocator);
  if (stays && similarities) {
    multiply_in_place(stream, pairs, elements<float>(of_matches));
  } else if (!stays && pairs.count() > 0) {
    match_pairs({stream, pairs, options, elements<int32_t>(matches), elements<float>(of_matches),
                 elements<double>(column_duals)});
  }
  follow(stream,
         {layout.clips, layout.frames, layout.patches,
          joined ? elements<int32_t>(kept.patches) : nullptr, elements<int32_t>(matches),
          elements<float>(of_matches)},
         elements<int32_t>(trajectories), elements<float>(similarities));
  if (!part.continues) return;
  const int* is_refused = elements<int32_t>(refused);
  keep<float>(stream, elements<float>(features), layout, channels, is_refused, kept.features);
  keep<double>(stream, elements<double>(scales), layout, 1, is_refused, kept.scales);
  keep<int32_t>(stream, elements<int32_t>(trajectories), layout, 1, is_refused, kept.patches);
}

}  // namespace ata::cuda
