#ifndef ATA_BASE_RANDOM_H_
#define ATA_BASE_RANDOM_H_

#include <cstdint>

namespace ata {

/// Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011). The value depends on (seed, stream, counter) alone, so that results do not
/// depend on thread count, and the whole state is three integers that a checkpoint can hold.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0, uint64_t counter = 0)
      : seed_(seed), stream_(stream), counter_(counter) {}

  uint32_t next_u32();
  /// Uniform in [0, 1) with 24 random bits.
  float uniform();
  /// Standard normal (Box-Muller).
  float normal();
  /// Uniform integer in [0, bound), bound > 0, without modulo bias.
  uint32_t below(uint32_t bound);

  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }
  /// Number of 32-bit values drawn so far.
  uint64_t counter() const { return counter_; }

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t counter_;
  uint64_t cached_block_ = UINT64_MAX;
  uint32_t words_[4] = {};
};

}  // namespace ata

#endif  // ATA_BASE_RANDOM_H_
