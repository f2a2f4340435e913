#include "base/random.h"

#include <cmath>
#include <numbers>

namespace ata {
namespace {

// One Philox4x32 block: ten rounds of two 32x32->64 multiplications.
void philox(const uint32_t input[4], uint64_t seed, uint32_t output[4]) {
  uint32_t x0 = input[0], x1 = input[1], x2 = input[2], x3 = input[3];
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * x0;
    const uint64_t p1 = uint64_t{0xCD9E8D57} * x2;
    x0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0;
    x1 = static_cast<uint32_t>(p1);
    x2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  output[0] = x0;
  output[1] = x1;
  output[2] = x2;
  output[3] = x3;
}

}  // namespace

uint32_t Random::next_u32() {
  const uint64_t block = counter_ / 4;
  const int word = static_cast<int>(counter_ % 4);
  if (word == 0 || block != cached_block_) {
    const uint32_t input[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                               static_cast<uint32_t>(stream_),
                               static_cast<uint32_t>(stream_ >> 32)};
    philox(input, seed_, words_);
    cached_block_ = block;
  }
  ++counter_;
  return words_[word];
}

float Random::uniform() {
  return static_cast<float>(next_u32() >> 8) * 0x1p-24f;
}

float Random::normal() {
  // 1 - u lies in (0, 1], so the logarithm is finite.
  const double u = 1.0 - static_cast<double>(uniform());
  const double v = static_cast<double>(uniform());
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

uint32_t Random::below(uint32_t bound) {
  // Values below 2^32 mod bound would favour small results (Lemire's rejection).
  const uint32_t rejected = static_cast<uint32_t>(-bound) % bound;
  for (;;) {
    const uint64_t product = uint64_t{next_u32()} * bound;
    if (static_cast<uint32_t>(product) >= rejected) return static_cast<uint32_t>(product >> 32);
  }
}

}  // namespace ata
