#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/simd_targets.h"
#include "base/threads.h"
#include "ops/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dropout_cpu.cc"
#include "hwy/foreach_target.h"
#include "ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ata {
namespace HWY_NAMESPACE {

// The 64-bit products of 32-bit values, one in each 64-bit lane, by a constant.
template <class D>
HWY_INLINE hn::Vec<D> multiply([[maybe_unused]] D d, hn::Vec<D> values, uint32_t constant) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d, hn::GetLane(values) * constant);
#else
  const hn::Repartition<uint32_t, D> d32;
  return hn::MulEven(hn::BitCast(d32, values), hn::Set(d32, constant));
#endif
}

// Writes four words for each of Lanes blocks beginning at `block`: what Random(seed, stream) draws
// from counter 4 * block on (Philox4x32-10, see base/random.cc), a block in each 64-bit lane.
HWY_INLINE void random_words(uint64_t seed, uint64_t stream, uint64_t block, uint32_t* words) {
  const hn::ScalableTag<uint64_t> d;
  const auto low = hn::Set(d, 0xffffffffu);
  const auto blocks = hn::Add(hn::Set(d, block), hn::Iota(d, 0));
  auto x0 = hn::And(blocks, low), x1 = hn::ShiftRight<32>(blocks);
  auto x2 = hn::Set(d, stream & 0xffffffffu), x3 = hn::Set(d, stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto p0 = multiply(d, x0, 0xD2511F53u);
    const auto p1 = multiply(d, x2, 0xCD9E8D57u);
    x0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), x1), hn::Set(d, uint64_t{k0}));
    x1 = hn::And(p1, low);
    x2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), x3), hn::Set(d, uint64_t{k1}));
    x3 = hn::And(p0, low);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  alignas(64) uint64_t halves[2][hn::MaxLanes(d)];
  hn::Store(hn::Or(x0, hn::ShiftLeft<32>(x1)), d, halves[0]);
  hn::Store(hn::Or(x2, hn::ShiftLeft<32>(x3)), d, halves[1]);
  for (size_t lane = 0; lane < hn::Lanes(d); ++lane, words += 4) {
    for (size_t half = 0; half < 2; ++half) {
      words[2 * half] = static_cast<uint32_t>(halves[half][lane]);
      words[2 * half + 1] = static_cast<uint32_t>(halves[half][lane] >> 32);
    }
  }
}

// y = x * scale where the word's upper 24 bits are at least `threshold`, else 0. `first`, the index
// of the first element, is a multiple of 4.
template <typename T>
void drop(const T* x, T* y, int64_t first, int64_t count, uint64_t seed, uint64_t stream,
          int32_t threshold, float scale) {
  const FloatTag d;
  const hn::RebindToUnsigned<FloatTag> d32;
  const hn::RebindToSigned<FloatTag> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  const auto last_dropped = hn::Set(di, threshold - 1);
  const hn::ScalableTag<uint64_t> d64;
  const int64_t drawn = 4 * static_cast<int64_t>(hn::Lanes(d64));
  alignas(64) uint32_t words[4 * hn::MaxLanes(d64)];
  for (int64_t at = 0; at < count; at += drawn) {
    random_words(seed, stream, static_cast<uint64_t>(first + at) / 4, words);
    for (int64_t w = 0; w < drawn && at + w < count; w += lanes) {
      const int64_t n = HWY_MIN(count - at - w, lanes);
      const auto word = hn::ShiftRight<8>(hn::Load(d32, words + w));
      const auto keep = hn::RebindMask(d, hn::Gt(hn::BitCast(di, word), last_dropped));
      const auto value = hn::Mul(load_some(d, x + at + w, n), factor);
      store_some(d, hn::IfThenElseZero(keep, value), y + at + w, n);
    }
  }
}

void drop_f32(const float* x, float* y, int64_t first, int64_t count, uint64_t seed,
              uint64_t stream, int32_t threshold, float scale) {
  drop(x, y, first, count, seed, stream, threshold, scale);
}
void drop_bf16(const BFloat16* x, BFloat16* y, int64_t first, int64_t count, uint64_t seed,
               uint64_t stream, int32_t threshold, float scale) {
  drop(x, y, first, count, seed, stream, threshold, scale);
}

}  // namespace HWY_NAMESPACE
}  // namespace ata
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ata {

HWY_EXPORT(drop_f32);
HWY_EXPORT(drop_bf16);

namespace {

uint64_t sequence_of(const RandomDrop& drop) {
  const uint64_t first =
      drop.first_sequence ? static_cast<uint64_t>(drop.first_sequence.data<int64_t>()[0]) : 0;
  return drop.sequence + first;
}

}  // namespace

namespace cpu {

void dropout(Stream&, const Tensor& x, const RandomDrop& drop, Tensor& y) {
  // uniform() < probability, in units of 2^-24.
  const auto threshold = static_cast<int32_t>(std::ceil(drop.probability * 0x1p24f));
  const float scale = 1.0f / (1.0f - drop.probability);
  const uint64_t seed = drop.seed, sequence = sequence_of(drop);
  const int64_t count = x.count();
  // Ranges begin at whole runs, whose first element begins a block of random words.
  constexpr int64_t kRun = 1024;
  const bool bf16 = x.dtype() == DType::kBF16;
  parallel_for((count + kRun - 1) / kRun, 16, [&](int64_t begin_run, int64_t end_run) {
    const int64_t begin = begin_run * kRun;
    const int64_t length = std::min(end_run * kRun, count) - begin;
    if (bf16) {
      HWY_DYNAMIC_DISPATCH(drop_bf16)
      (x.data<BFloat16>() + begin, y.data<BFloat16>() + begin, begin, length, seed, sequence,
       threshold, scale);
    } else {
      HWY_DYNAMIC_DISPATCH(drop_f32)
      (x.data<float>() + begin, y.data<float>() + begin, begin, length, seed, sequence, threshold,
       scale);
    }
  });
}

void drop_path(Stream&, const RandomDrop& drop, int64_t samples, int64_t patch_rows,
               const Tensor& scale, Tensor& factors) {
  const int64_t patches = patch_rows / samples;
  const int64_t others = (factors.count() - patch_rows) / samples;
  float* const rows = factors.data<float>();
  const float kept = 1.0f / (1.0f - drop.probability);
  Random random(drop.seed, sequence_of(drop));
  for (int64_t sample = 0; sample < samples; ++sample) {
    const float factor = random.uniform() < drop.probability ? 0.0f : kept;
    std::fill_n(rows + sample * patches, patches, factor);
    std::fill_n(rows + patch_rows + sample * others, others, factor);
  }
  if (!scale) return;
  const float* const given = scale.data<float>();
  for (int64_t row = 0; row < factors.count(); ++row) rows[row] *= given[row];
}

}  // namespace cpu
}  // namespace ata
#endif  // HWY_ONCE
