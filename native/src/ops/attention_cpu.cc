#include <algorithm>
#include <cmath>

#include "base/simd_targets.h"
#include "base/threads.h"
#include "ops/attention.h"
#include "ops/cpu.h"

#ifndef ATA_OPS_ATTENTION_CPU_
#define ATA_OPS_ATTENTION_CPU_
namespace ata {
namespace {

// Queries that one task answers, keys that one tile holds, and queries whose scores against a tile
// stay in the first-level cache.
constexpr int64_t kChunk = 768;
constexpr int64_t kKeys = 256;
constexpr int64_t kQueries = 24;
// The longest vector of any instruction set, in floats.
constexpr int64_t kMaxLanes = 16;

int64_t pad(int64_t count) {
  return (count + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
}

// The rows of one sequence: its class token, then the patches of its frame.
struct SequenceRows {
  int64_t class_row;
  int64_t first_patch;
  int64_t operator()(int64_t token) const {
    return token == 0 ? class_row : first_patch + token - 1;
  }
};

// One head of one sequence. Pointers are to the head's first column.
template <typename T>
struct HeadTask {
  const T* q;
  const T* k;
  const T* v;
  int64_t stride;  // of q, k and v
  SequenceRows rows;
  int64_t tokens;
  int64_t dim;
  float scale;
};

// Floats of scratch that one worker of attend_chunk needs.
int64_t attend_scratch(int64_t dim) {
  return kChunk * pad(dim) * 2 + kChunk * 2 + kKeys * pad(dim) * 2 + kQueries * kKeys;
}

// Floats of scratch that one worker of attend_gradient needs.
int64_t gradient_scratch(int64_t tokens, int64_t dim) {
  return tokens * pad(dim) * 3 + tokens + kKeys * pad(dim) * 5 + 2 * kQueries * kKeys;
}

}  // namespace
}  // namespace ata
#endif  // ATA_OPS_ATTENTION_CPU_

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention_cpu.cc"
#include "hwy/foreach_target.h"
#include "ops/attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

// Queries [begin, end) of a head against all its keys, tile by tile with a running maximum and sum.
// y is the head's part of the result of row 0, rows of `y_stride`; the class token's result goes to
// class_row, in f32. log_sum `[tokens]` may be null.
template <typename T>
HWY_INLINE void attend_chunk(const HeadTask<T>& task, int64_t begin, int64_t end, T* y,
                             int64_t y_stride, float* class_row, float* log_sum, float* scratch) {
  const int64_t width = round_up(task.dim);
  const int64_t count = end - begin;
  float* const queries = scratch;
  float* const sums = queries + kChunk * width;
  float* const largest = sums + kChunk * width;
  float* const total = largest + kChunk;
  float* const keys = total + kChunk;
  float* const values = keys + kKeys * pad(task.dim);
  float* const scores = values + kKeys * width;

  gather_tile(task.q, task.stride, task.rows, begin, end, task.dim, task.scale, queries);
  for (int64_t k0 = 0; k0 < task.tokens; k0 += kKeys) {
    const int64_t k1 = HWY_MIN(task.tokens, k0 + kKeys);
    const int64_t key_width = round_up(k1 - k0);
    gather_transposed(task.k, task.stride, task.rows, k0, k1, task.dim, key_width, keys);
    gather_tile(task.v, task.stride, task.rows, k0, k1, task.dim, 1.0f, values);
    for (int64_t q0 = 0; q0 < count; q0 += kQueries) {
      const int64_t block = HWY_MIN(kQueries, count - q0);
      multiply(block, key_width, task.dim, {queries + q0 * width, width, 1}, keys, key_width,
               scores, key_width);
      for (int64_t q = 0; q < block; ++q) {
        float* const row = scores + q * key_width;
        float& m = largest[q0 + q];
        float& l = total[q0 + q];
        const float tile_max = row_max(row, k1 - k0);
        if (k0 == 0) {
          m = tile_max;
          l = row_exp(row, k1 - k0, m);
        } else {
          if (tile_max > m) {
            const float shrink = std::exp(m - tile_max);
            m = tile_max;
            l *= shrink;
            float* const sum = sums + (q0 + q) * width;
            scale_to(sum, shrink, sum, width);
          }
          l += row_exp(row, k1 - k0, m);
        }
      }
      float* const out = sums + q0 * width;
      if (k0 == 0) {
        multiply(block, width, k1 - k0, {scores, key_width, 1}, values, width, out, width);
      } else {
        multiply_add(block, width, k1 - k0, {scores, key_width, 1}, values, width, out, width);
      }
    }
  }
  for (int64_t q = 0; q < count; ++q) {
    const int64_t token = begin + q;
    const float* const sum = sums + q * width;
    const float inverse = 1.0f / total[q];
    if (token == 0) {
      scale_to(sum, inverse, class_row, task.dim);
    } else {
      scale_to(sum, inverse, y + task.rows(token) * y_stride, task.dim);
    }
    if (log_sum) log_sum[token] = largest[q] + std::log(total[q]);
  }
}

// The gradients of one head of one sequence with respect to its q, k and v: with P the softmax and
// dP = dy v^T, dv = P^T dy, dS = P (dP - rowsum(dy y)), dq = dS k scale, dk = dS^T q scale.
// dy, y and dqkv are the head's parts of row 0, rows of y_stride and 3 * y_stride elements; the
// class token has its own rows class_dy, class_y and class_dqkv (whose parts are y_stride apart).
template <typename T>
HWY_INLINE void attend_gradient(const HeadTask<T>& task, const float* dy, const T* y,
                                const float* class_dy, float class_scale, const float* class_y,
                                const float* log_sum, int64_t y_stride, float* dqkv,
                                float* class_dqkv, float* scratch) {
  const int64_t dim = task.dim;
  const int64_t width = round_up(dim);
  const int64_t tokens = task.tokens;
  float* const queries = scratch;
  float* const upstream = queries + tokens * width;
  float* const query_sums = upstream + tokens * width;
  float* const projection = query_sums + tokens * width;
  float* const keys = projection + tokens;
  float* const keys_transposed = keys + kKeys * width;
  float* const values_transposed = keys_transposed + kKeys * pad(dim);
  float* const key_sums = values_transposed + kKeys * pad(dim);
  float* const value_sums = key_sums + kKeys * width;
  float* const scores = value_sums + kKeys * width;
  float* const slopes = scores + kQueries * kKeys;
  const SequenceRows one_row = {0, 0};

  gather_tile(task.q, task.stride, task.rows, 0, tokens, dim, task.scale, queries);
  gather_tile(class_dy, y_stride, one_row, 0, 1, dim, class_scale, upstream);
  gather_tile(dy, y_stride, task.rows, 1, tokens, dim, 1.0f, upstream + width);
  // The tile of y is needed only for its products with dy, so it borrows the sums' memory.
  gather_tile(class_y, y_stride, one_row, 0, 1, dim, 1.0f, query_sums);
  gather_tile(y, y_stride, task.rows, 1, tokens, dim, 1.0f, query_sums + width);
  for (int64_t i = 0; i < tokens; ++i) {
    projection[i] = dot(upstream + i * width, query_sums + i * width, dim);
  }

  const FloatTag d;
  for (int64_t k0 = 0; k0 < tokens; k0 += kKeys) {
    const int64_t count = HWY_MIN(kKeys, tokens - k0);
    const int64_t key_width = round_up(count);
    gather_tile(task.k, task.stride, task.rows, k0, k0 + count, dim, 1.0f, keys);
    gather_transposed(task.k, task.stride, task.rows, k0, k0 + count, dim, key_width,
                      keys_transposed);
    gather_transposed(task.v, task.stride, task.rows, k0, k0 + count, dim, key_width,
                      values_transposed);
    std::memset(key_sums, 0, static_cast<size_t>(count * width) * sizeof(float));
    std::memset(value_sums, 0, static_cast<size_t>(count * width) * sizeof(float));
    for (int64_t q0 = 0; q0 < tokens; q0 += kQueries) {
      const int64_t block = HWY_MIN(kQueries, tokens - q0);
      const float* const q = queries + q0 * width;
      const float* const up = upstream + q0 * width;
      multiply(block, key_width, dim, {q, width, 1}, keys_transposed, key_width, scores, key_width);
      multiply(block, key_width, dim, {up, width, 1}, values_transposed, key_width, slopes,
               key_width);
      for (int64_t r = 0; r < block; ++r) {
        float* const p = scores + r * key_width;
        float* const s = slopes + r * key_width;
        row_exp(p, count, log_sum[q0 + r]);
        const FloatVec shift = hn::Set(d, projection[q0 + r]);
        for (int64_t at = 0; at < key_width; at += static_cast<int64_t>(hn::Lanes(d))) {
          const FloatVec slope = hn::Sub(hn::LoadU(d, s + at), shift);
          hn::StoreU(hn::Mul(hn::LoadU(d, p + at), slope), d, s + at);
        }
      }
      multiply_add(count, width, block, {scores, 1, key_width}, up, width, value_sums, width);
      multiply_add(count, width, block, {slopes, 1, key_width}, q, width, key_sums, width);
      float* const out = query_sums + q0 * width;
      if (k0 == 0) {
        multiply(block, width, count, {slopes, key_width, 1}, keys, width, out, width);
      } else {
        multiply_add(block, width, count, {slopes, key_width, 1}, keys, width, out, width);
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      float* const row = k0 + i == 0 ? class_dqkv : dqkv + task.rows(k0 + i) * 3 * y_stride;
      // The queries were scaled already, so these sums are complete.
      scale_to(key_sums + i * width, 1.0f, row + y_stride, dim);
      scale_to(value_sums + i * width, 1.0f, row + 2 * y_stride, dim);
    }
  }
  for (int64_t i = 0; i < tokens; ++i) {
    float* const row = i == 0 ? class_dqkv : dqkv + task.rows(i) * 3 * y_stride;
    scale_to(query_sums + i * width, task.scale, row, dim);
  }
}

void attend_f32(const HeadTask<float>& task, int64_t begin, int64_t end, float* y, int64_t y_stride,
                float* class_row, float* log_sum, float* scratch) {
  attend_chunk(task, begin, end, y, y_stride, class_row, log_sum, scratch);
}

void attend_bf16(const HeadTask<BFloat16>& task, int64_t begin, int64_t end, BFloat16* y,
                 int64_t y_stride, float* class_row, float* log_sum, float* scratch) {
  attend_chunk(task, begin, end, y, y_stride, class_row, log_sum, scratch);
}

void attend_gradient_f32(const HeadTask<float>& task, const float* dy, const float* y,
                         const float* class_dy, float class_scale, const float* class_y,
                         const float* log_sum, int64_t y_stride, float* dqkv, float* class_dqkv,
                         float* scratch) {
  attend_gradient(task, dy, y, class_dy, class_scale, class_y, log_sum, y_stride, dqkv, class_dqkv,
                  scratch);
}

void attend_gradient_bf16(const HeadTask<BFloat16>& task, const float* dy, const BFloat16* y,
                          const float* class_dy, float class_scale, const float* class_y,
                          const float* log_sum, int64_t y_stride, float* dqkv, float* class_dqkv,
                          float* scratch) {
  attend_gradient(task, dy, y, class_dy, class_scale, class_y, log_sum, y_stride, dqkv, class_dqkv,
                  scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(attend_f32);
HWY_EXPORT(attend_bf16);
HWY_EXPORT(attend_gradient_f32);
HWY_EXPORT(attend_gradient_bf16);

namespace cpu {
namespace {

template <typename T>
HeadTask<T> head_task(const Tensor& qkv, const ClipLayout& layout, int heads, int64_t sequence,
                      int64_t head) {
  const int64_t dim = qkv.dim(1) / 3;
  const int64_t head_dim = dim / heads;
  const T* base = qkv.data<T>() + head * head_dim;
  return {base,
          base + dim,
          base + 2 * dim,
          3 * dim,
          {layout.patch_rows() + sequence / layout.frames, sequence * layout.patches},
          1 + layout.patches,
          head_dim,
          1.0f / std::sqrt(static_cast<float>(head_dim))};
}

template <typename T>
void attend_all(const Tensor& qkv, const ClipLayout& layout, int heads, Tensor& y, Tensor& log_sum,
                Tensor& class_rows, Stream& stream) {
  const int64_t dim = qkv.dim(1) / 3;
  const int64_t head_dim = dim / heads;
  const int64_t tokens = 1 + layout.patches;
  const int64_t sequences = layout.frame_count();
  const int64_t chunks = (tokens + kChunk - 1) / kChunk;
  const int64_t per_worker = pad(attend_scratch(head_dim));
  const int workers = thread_count();
  Tensor scratch({workers, per_worker}, DType::kF32, stream.allocator);
  T* const out = y.data<T>();
  parallel_for_dynamic(sequences * heads * chunks, workers, [&](int64_t item, int worker) {
    const int64_t begin = item % chunks * kChunk;
    const int64_t head = item / chunks % heads;
    const int64_t sequence = item / chunks / heads;
    const auto task = head_task<T>(qkv, layout, heads, sequence, head);
    float* const class_row = class_rows.data<float>() + sequence * dim + head * head_dim;
    float* const sums =
        log_sum ? log_sum.data<float>() + (sequence * heads + head) * tokens : nullptr;
    float* const space = scratch.data<float>() + worker * per_worker;
    const int64_t end = std::min(tokens, begin + kChunk);
    if constexpr (std::is_same_v<T, float>) {
      HWY_DYNAMIC_DISPATCH(attend_f32)
      (task, begin, end, out + head * head_dim, dim, class_row, sums, space);
    } else {
      HWY_DYNAMIC_DISPATCH(attend_bf16)
      (task, begin, end, out + head * head_dim, dim, class_row, sums, space);
    }
  });
}

template <typename T>
void attend_gradient_all(const Tensor& dy, const Tensor& qkv, const Tensor& y,
                         const Tensor& log_sum, const Tensor& class_rows, const ClipLayout& layout,
                         int heads, Tensor& dqkv, Tensor& class_dqkv, Stream& stream) {
  const int64_t dim = qkv.dim(1) / 3;
  const int64_t head_dim = dim / heads;
  const int64_t tokens = 1 + layout.patches;
  const int64_t sequences = layout.frame_count();
  const int64_t per_worker = pad(gradient_scratch(tokens, head_dim));
  const int workers = static_cast<int>(std::min<int64_t>(thread_count(), sequences * heads));
  Tensor scratch({workers, per_worker}, DType::kF32, stream.allocator);
  parallel_for_dynamic(sequences * heads, workers, [&](int64_t item, int worker) {
    const int64_t head = item % heads;
    const int64_t sequence = item / heads;
    const int64_t column = head * head_dim;
    const auto task = head_task<T>(qkv, layout, heads, sequence, head);
    const float* const class_dy = dy.data<float>() + task.rows(0) * dim + column;
    const float* const class_y = class_rows.data<float>() + sequence * dim + column;
    const float* const sums = log_sum.data<float>() + (sequence * heads + head) * tokens;
    float* const class_out = class_dqkv.data<float>() + sequence * 3 * dim + column;
    float* const space = scratch.data<float>() + worker * per_worker;
    const float class_scale = 1.0f / static_cast<float>(layout.frames);
    if constexpr (std::is_same_v<T, float>) {
      HWY_DYNAMIC_DISPATCH(attend_gradient_f32)
      (task, dy.data<float>() + column, y.data<T>() + column, class_dy, class_scale, class_y, sums,
       dim, dqkv.data<float>() + column, class_out, space);
    } else {
      HWY_DYNAMIC_DISPATCH(attend_gradient_bf16)
      (task, dy.data<float>() + column, y.data<T>() + column, class_dy, class_scale, class_y, sums,
       dim, dqkv.data<float>() + column, class_out, space);
    }
  });
}

}  // namespace

void attention(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads, Tensor& y,
               Tensor& log_sum, Tensor& class_rows) {
  const int64_t dim = y.dim(1);
  Tensor per_frame =
      class_rows ? class_rows : Tensor({layout.frame_count(), dim}, DType::kF32, stream.allocator);
  Tensor class_y = y.slice(layout.patch_rows(), layout.token_rows());
  if (y.dtype() == DType::kBF16) {
    attend_all<BFloat16>(qkv, layout, heads, y, log_sum, per_frame, stream);
    Tensor mean({layout.clips, dim}, DType::kF32, stream.allocator);
    mean_rows(stream, per_frame, layout.frames, mean);
    convert(stream, mean, class_y);
  } else {
    attend_all<float>(qkv, layout, heads, y, log_sum, per_frame, stream);
    mean_rows(stream, per_frame, layout.frames, class_y);
  }
}

void attention_gradient(Stream& stream, const Tensor& dy, const Tensor& qkv, const Tensor& y,
                        const Tensor& log_sum, const Tensor& class_rows, const ClipLayout& layout,
                        int heads, Tensor& dqkv) {
  Tensor class_dqkv({layout.frame_count(), qkv.dim(1)}, DType::kF32, stream.allocator);
  if (qkv.dtype() == DType::kBF16) {
    attend_gradient_all<BFloat16>(dy, qkv, y, log_sum, class_rows, layout, heads, dqkv, class_dqkv,
                                  stream);
  } else {
    attend_gradient_all<float>(dy, qkv, y, log_sum, class_rows, layout, heads, dqkv, class_dqkv,
                               stream);
  }
  // The class token takes part in every frame of its group.
  for (int64_t group = 0; group < layout.clips; ++group) {
    Tensor row = dqkv.slice(layout.patch_rows() + group, layout.patch_rows() + group + 1);
    row = row.reshape({qkv.dim(1)});
    std::memset(row.raw(), 0, row.bytes());
    linear_bias_gradient(stream,
                         class_dqkv.slice(group * layout.frames, (group + 1) * layout.frames), row);
  }
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
