#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/simd_targets.h"
#include "base/threads.h"
#include "ops/cpu.h"

#ifndef ATA_OPS_TEMPORAL_ATTENTION_CPU_
#define ATA_OPS_TEMPORAL_ATTENTION_CPU_
namespace ata {
namespace {

// The longest vector of any instruction set, in floats.
constexpr int64_t kMaxLanes = 16;

int64_t pad(int64_t count) {
  return (count + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
}

// One clip of a batch: rows (t, n), q, k and v beside each other.
template <typename T>
struct ClipTask {
  const T* qkv;                 // row 0 of the clip
  const int32_t* trajectories;  // [frames, patches], or null for the identity
  const int32_t* visits;        // [frames, patches], or null when each frame is a permutation
  int64_t frames;
  int64_t patches;
  int64_t dim;  // of all heads
  int64_t head_dim;
  float scale;
};

// The rows that trajectory n runs through.
struct TrajectoryRows {
  const int32_t* trajectories;
  int64_t patches;
  int64_t n;
  int64_t operator()(int64_t t) const {
    return t * patches + (trajectories ? trajectories[t * patches + n] : n);
  }
};

// Floats of scratch that one worker needs, forward and backward.
int64_t forward_scratch(int64_t frames, int64_t head_dim) {
  return pad(frames) * pad(head_dim) * 4 + frames * pad(frames);
}
int64_t backward_scratch(int64_t frames, int64_t head_dim) {
  return pad(frames) * pad(head_dim) * 8 + 2 * frames * pad(frames);
}

}  // namespace
}  // namespace ata
#endif  // ATA_OPS_TEMPORAL_ATTENTION_CPU_

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/temporal_attention_cpu.cc"
#include "hwy/foreach_target.h"
#include "ops/attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

// Asks for rows [begin, end) of what one head along trajectory n reads, so that memory latency
// passes while others are computed: the hardware cannot foresee where a trajectory runs.
template <typename T>
HWY_INLINE void prefetch(const ClipTask<T>& task, int64_t n, int64_t head, int64_t begin,
                         int64_t end, const float* dy) {
  const TrajectoryRows rows = {task.trajectories, task.patches, n};
  const T* const q = task.qkv + head * task.head_dim;
  for (int64_t t = begin; t < end; ++t) {
    for (int64_t part = 0; part < 3; ++part) {
      prefetch_row(q + part * task.dim + rows(t) * 3 * task.dim, task.head_dim);
    }
    if (dy) prefetch_row(dy + head * task.head_dim + rows(t) * task.dim, task.head_dim);
  }
}

// probabilities `[frames, round_up(frames)]` = softmax of queries times keys.
HWY_INLINE void trajectory_softmax(int64_t frames, int64_t head_dim, const float* queries,
                                   const float* keys_transposed, float* probabilities) {
  const int64_t width = round_up(head_dim);
  const int64_t key_width = round_up(frames);
  multiply(frames, key_width, head_dim, {queries, width, 1}, keys_transposed, key_width,
           probabilities, key_width);
  for (int64_t t = 0; t < frames; ++t) {
    float* const row = probabilities + t * key_width;
    const float sum = row_exp(row, frames, row_max(row, frames));
    scale_to(row, 1.0f / sum, row, key_width);
  }
}

// One head along trajectory n. y is row 0 of the clip's result; where trajectories meet (`visits`)
// their mean is accumulated.
template <typename T, typename Out>
HWY_INLINE void attend_trajectory(const ClipTask<T>& task, int64_t n, int64_t head, Out* y,
                                  float* scratch) {
  const int64_t dim = task.head_dim;
  const int64_t width = round_up(dim);
  const int64_t frames = task.frames;
  const int64_t tile = pad(frames) * pad(dim);
  float* const queries = scratch;
  float* const keys = queries + tile;
  float* const values = keys + tile;
  float* const result = values + tile;
  float* const probabilities = result + tile;
  const TrajectoryRows rows = {task.trajectories, task.patches, n};
  const T* const q = task.qkv + head * dim;
  const int64_t stride = 3 * task.dim;

  gather_tile(q, stride, rows, 0, frames, dim, task.scale, queries);
  gather_transposed(q + task.dim, stride, rows, 0, frames, dim, round_up(frames), keys);
  gather_tile(q + 2 * task.dim, stride, rows, 0, frames, dim, 1.0f, values);
  trajectory_softmax(frames, dim, queries, keys, probabilities);
  multiply(frames, width, frames, {probabilities, round_up(frames), 1}, values, width, result,
           width);
  for (int64_t t = 0; t < frames; ++t) {
    const int64_t row = rows(t);
    Out* const out = y + row * task.dim + head * dim;
    if constexpr (std::is_same_v<Out, float>) {
      if (task.visits) {
        add_scaled_to(result + t * width, 1.0f / static_cast<float>(task.visits[row]), out, dim);
        continue;
      }
    }
    scale_to(result + t * width, 1.0f, out, dim);
  }
}

// The gradient of attend_trajectory; dqkv is row 0 of the clip's, and is added to where
// trajectories meet.
template <typename T>
HWY_INLINE void attend_trajectory_gradient(const ClipTask<T>& task, int64_t n, int64_t head,
                                           const float* dy, float* dqkv, float* scratch) {
  const int64_t dim = task.head_dim;
  const int64_t width = round_up(dim);
  const int64_t frames = task.frames;
  const int64_t key_width = round_up(frames);
  const int64_t tile = pad(frames) * pad(dim);
  float* const queries = scratch;
  float* const keys = queries + tile;
  float* const keys_transposed = keys + tile;
  float* const values_transposed = keys_transposed + tile;
  float* const upstream = values_transposed + tile;
  float* const sums = upstream + tile;  // of dq, then dk, then dv
  float* const probabilities = sums + 3 * tile;
  float* const slopes = probabilities + frames * key_width;
  const TrajectoryRows rows = {task.trajectories, task.patches, n};
  const T* const q = task.qkv + head * dim;
  const int64_t stride = 3 * task.dim;

  gather_tile(q, stride, rows, 0, frames, dim, task.scale, queries);
  gather_tile(q + task.dim, stride, rows, 0, frames, dim, 1.0f, keys);
  gather_transposed(q + task.dim, stride, rows, 0, frames, dim, key_width, keys_transposed);
  gather_transposed(q + 2 * task.dim, stride, rows, 0, frames, dim, key_width, values_transposed);
  gather_tile(dy + head * dim, task.dim, rows, 0, frames, dim, 1.0f, upstream);
  if (task.visits) {
    for (int64_t t = 0; t < frames; ++t) {
      float* const row = upstream + t * width;
      scale_to(row, 1.0f / static_cast<float>(task.visits[rows(t)]), row, dim);
    }
  }
  trajectory_softmax(frames, dim, queries, keys_transposed, probabilities);
  multiply(frames, key_width, dim, {upstream, width, 1}, values_transposed, key_width, slopes,
           key_width);
  const FloatTag d;
  for (int64_t t = 0; t < frames; ++t) {
    const float* const p = probabilities + t * key_width;
    float* const s = slopes + t * key_width;
    const FloatVec shift = hn::Set(d, dot(p, s, key_width));
    for (int64_t at = 0; at < key_width; at += static_cast<int64_t>(hn::Lanes(d))) {
      const FloatVec slope = hn::Sub(hn::LoadU(d, s + at), shift);
      hn::StoreU(hn::Mul(hn::LoadU(d, p + at), slope), d, s + at);
    }
  }
  multiply(frames, width, frames, {slopes, key_width, 1}, keys, width, sums, width);
  multiply(frames, width, frames, {slopes, 1, key_width}, queries, width, sums + tile, width);
  multiply(frames, width, frames, {probabilities, 1, key_width}, upstream, width, sums + 2 * tile,
           width);
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t part = 0; part < 3; ++part) {
      float* const out = dqkv + rows(t) * stride + part * task.dim + head * dim;
      const float* const sum = sums + part * tile + t * width;
      const float factor = part == 0 ? task.scale : 1.0f;  // the queries carry it for dk
      if (task.visits) {
        add_scaled_to(sum, factor, out, dim);
      } else {
        scale_to(sum, factor, out, dim);
      }
    }
  }
}

// Calls attend(n, head) for trajectories [begin, end) and heads [first_head, last_head), each time
// after asking for what the next head reads, and for a share of what the next trajectory begins
// with: all of it at once would be more than the processor can have under way.
template <typename T, class Attend>
HWY_INLINE void for_each_head(const ClipTask<T>& task, int64_t begin, int64_t end,
                              int64_t first_head, int64_t last_head, const float* dy,
                              const Attend& attend) {
  const int64_t rows = HWY_MIN(task.frames, kRowsAhead);  // the others as it goes
  const int64_t heads = last_head - first_head;
  for (int64_t n = begin; n < end; ++n) {
    for (int64_t head = first_head; head < last_head; ++head) {
      if (head + 1 < last_head) prefetch(task, n, head + 1, 0, rows, dy);
      if (n + 1 < task.patches) {
        const int64_t k = head - first_head;
        prefetch(task, n + 1, first_head, rows * k / heads, rows * (k + 1) / heads, dy);
      }
      attend(n, head);
    }
  }
}

template <typename T, typename Out>
HWY_INLINE void attend_trajectories(const ClipTask<T>& task, int64_t begin, int64_t end,
                                    int64_t first_head, int64_t last_head, Out* y, float* scratch) {
  for_each_head(task, begin, end, first_head, last_head, nullptr,
                [&](int64_t n, int64_t head)
                    HWY_ATTR { attend_trajectory(task, n, head, y, scratch); });
}

template <typename T>
HWY_INLINE void attend_trajectories_gradient(const ClipTask<T>& task, int64_t begin, int64_t end,
                                             int64_t first_head, int64_t last_head, const float* dy,
                                             float* dqkv, float* scratch) {
  for_each_head(task, begin, end, first_head, last_head, dy, [&](int64_t n, int64_t head) HWY_ATTR {
    attend_trajectory_gradient(task, n, head, dy, dqkv, scratch);
  });
}

void temporal_f32(const ClipTask<float>& task, int64_t begin, int64_t end, int64_t first_head,
                  int64_t last_head, float* y, float* scratch) {
  attend_trajectories(task, begin, end, first_head, last_head, y, scratch);
}

void temporal_bf16(const ClipTask<BFloat16>& task, int64_t begin, int64_t end, int64_t first_head,
                   int64_t last_head, BFloat16* y, float* scratch) {
  attend_trajectories(task, begin, end, first_head, last_head, y, scratch);
}

void temporal_bf16_to_f32(const ClipTask<BFloat16>& task, int64_t begin, int64_t end,
                          int64_t first_head, int64_t last_head, float* y, float* scratch) {
  attend_trajectories(task, begin, end, first_head, last_head, y, scratch);
}

void temporal_gradient_f32(const ClipTask<float>& task, int64_t begin, int64_t end,
                           int64_t first_head, int64_t last_head, const float* dy, float* dqkv,
                           float* scratch) {
  attend_trajectories_gradient(task, begin, end, first_head, last_head, dy, dqkv, scratch);
}

void temporal_gradient_bf16(const ClipTask<BFloat16>& task, int64_t begin, int64_t end,
                            int64_t first_head, int64_t last_head, const float* dy, float* dqkv,
                            float* scratch) {
  attend_trajectories_gradient(task, begin, end, first_head, last_head, dy, dqkv, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(temporal_f32);
HWY_EXPORT(temporal_bf16);
HWY_EXPORT(temporal_bf16_to_f32);
HWY_EXPORT(temporal_gradient_f32);
HWY_EXPORT(temporal_gradient_bf16);

namespace cpu {
namespace {

template <typename T>
ClipTask<T> clip_task(const Tensor& qkv, const ClipLayout& layout, int heads,
                      const Tensor& trajectories, const Tensor& visits, int64_t clip) {
  const int64_t dim = qkv.dim(1) / 3;
  const int64_t rows = layout.frames * layout.patches;
  return {qkv.data<T>() + clip * rows * 3 * dim,
          trajectories ? trajectories.data<int32_t>() + clip * rows : nullptr,
          visits ? visits.data<int32_t>() + clip * rows : nullptr,
          layout.frames,
          layout.patches,
          dim,
          dim / heads,
          1.0f / std::sqrt(static_cast<float>(dim / heads))};
}

// Calls body(clip, begin, end, first_head, last_head, worker) so that the calls together cover all
// trajectories and heads and write to disjoint memory: trajectories of a permutation share no row,
// others only columns of different heads. `worker` < `workers`.
template <class Body>
void split_clips(const ClipLayout& layout, int heads, bool permutation, int workers,
                 const Body& body) {
  const int64_t patches = layout.patches;
  if (permutation) {
    constexpr int64_t kRun = 8;
    const int64_t runs = (patches + kRun - 1) / kRun;
    parallel_for_dynamic(layout.clips * runs, workers, [&](int64_t item, int worker) {
      const int64_t begin = item % runs * kRun;
      body(item / runs, begin, std::min(patches, begin + kRun), int64_t{0}, int64_t{heads}, worker);
    });
  } else {
    parallel_for_dynamic(layout.clips * heads, workers, [&](int64_t item, int worker) {
      const int64_t head = item % heads;
      body(item / heads, int64_t{0}, patches, head, head + 1, worker);
    });
  }
}

}  // namespace

void count_visits(Stream& stream, const Tensor& trajectories, Tensor& visits) {
  const int64_t patches = trajectories.dim(2);
  const int64_t frames = trajectories.dim(0) * trajectories.dim(1);
  const int32_t* index = trajectories.data<int32_t>();
  int32_t* counts = visits.data<int32_t>();
  std::memset(visits.raw(), 0, visits.bytes());
  for (int64_t frame = 0; frame < frames; ++frame) {
    for (int64_t n = 0; n < patches; ++n) {
      const int32_t patch = index[frame * patches + n];
      if (patch < 0 || patch >= patches) {
        stream.status.data<int32_t>()[0] |= kPatchOutOfRange;
      } else {
        ++counts[frame * patches + patch];
      }
    }
  }
}

void visited_rows(Stream&, const Tensor& visits, Tensor& rows) {
  const int32_t* counts = visits.data<int32_t>();
  float* out = rows.data<float>();
  for (int64_t i = 0; i < visits.count(); ++i) out[i] = counts[i] > 0 ? 1.0f : 0.0f;
}

void temporal_attention(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads,
                        const Tensor& trajectories, const Tensor& visits, Tensor& y) {
  const int64_t dim = y.dim(1);
  const int64_t rows = layout.frames * layout.patches;
  const int64_t per_worker = pad(forward_scratch(layout.frames, dim / heads));
  const int workers = thread_count();
  Tensor scratch({workers, per_worker}, DType::kF32, stream.allocator);
  const bool bf16 = qkv.dtype() == DType::kBF16;
  // Means of bf16 results are accumulated in f32.
  Tensor sums = visits && bf16 ? Tensor(y.shape(), DType::kF32, stream.allocator) : y;
  if (visits) std::memset(sums.raw(), 0, sums.bytes());
  split_clips(
      layout, heads, !visits, workers,
      [&](int64_t clip, int64_t begin, int64_t end, int64_t first_head, int64_t last_head,
          int worker) {
        float* const space = scratch.data<float>() + worker * per_worker;
        const int64_t at = clip * rows * dim;
        if (!bf16) {
          const auto task = clip_task<float>(qkv, layout, heads, trajectories, visits, clip);
          HWY_DYNAMIC_DISPATCH(temporal_f32)
          (task, begin, end, first_head, last_head, y.data<float>() + at, space);
          return;
        }
        const auto task = clip_task<BFloat16>(qkv, layout, heads, trajectories, visits, clip);
        if (visits) {
          HWY_DYNAMIC_DISPATCH(temporal_bf16_to_f32)
          (task, begin, end, first_head, last_head, sums.data<float>() + at, space);
        } else {
          HWY_DYNAMIC_DISPATCH(temporal_bf16)
          (task, begin, end, first_head, last_head, y.data<BFloat16>() + at, space);
        }
      });
  if (visits && bf16) convert(stream, sums, y);
}

void temporal_attention_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv,
                                 const ClipLayout& layout, int heads, const Tensor& trajectories,
                                 const Tensor& visits, Tensor& dqkv) {
  const int64_t dim = dy.dim(1);
  const int64_t rows = layout.frames * layout.patches;
  const int64_t per_worker = pad(backward_scratch(layout.frames, dim / heads));
  const int workers = thread_count();
  Tensor scratch({workers, per_worker}, DType::kF32, stream.allocator);
  if (visits) std::memset(dqkv.raw(), 0, dqkv.bytes());
  split_clips(
      layout, heads, !visits, workers,
      [&](int64_t clip, int64_t begin, int64_t end, int64_t first_head, int64_t last_head,
          int worker) {
        float* const space = scratch.data<float>() + worker * per_worker;
        const float* const gradient = dy.data<float>() + clip * rows * dim;
        float* const out = dqkv.data<float>() + clip * rows * 3 * dim;
        if (qkv.dtype() == DType::kBF16) {
          const auto task = clip_task<BFloat16>(qkv, layout, heads, trajectories, visits, clip);
          HWY_DYNAMIC_DISPATCH(temporal_gradient_bf16)
          (task, begin, end, first_head, last_head, gradient, out, space);
        } else {
          const auto task = clip_task<float>(qkv, layout, heads, trajectories, visits, clip);
          HWY_DYNAMIC_DISPATCH(temporal_gradient_f32)
          (task, begin, end, first_head, last_head, gradient, out, space);
        }
      });
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
