#ifndef ATA_ASSIGNMENT_WIDE_INTEGER_H_
#define ATA_ASSIGNMENT_WIDE_INTEGER_H_

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace ata {

/// A float32 is +-mantissa * 2^exponent with integers. Exact for all that are finite.
struct FloatParts {
  uint32_t mantissa;
  int exponent;
  bool negative;
};

inline FloatParts float_parts(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const auto field = static_cast<int>(bits >> 23 & 0xFF);
  const uint32_t fraction = bits & 0x7FFFFF;
  return {field > 0 ? fraction | 0x800000 : fraction, (field > 0 ? field : 1) - 150,
          bits >> 31 != 0};
}

/// Exponent of the least positive float32.
constexpr int kLeastFloatExponent = -149;

/// A signed integer of 64 * kLimbs bits that counts multiples of 2^exponent, the exponent being
/// known from elsewhere: fixed-point numbers of any range. Overflow wraps around.
template <int kLimbs>
class WideInteger {
 public:
  WideInteger() = default;

  /// `value` as multiples of 2^exponent, of which it is one.
  WideInteger(float value, int exponent) {
    const FloatParts parts = float_parts(value);
    if (parts.mantissa != 0) set(parts.mantissa, parts.exponent - exponent, parts.negative);
  }

  /// `value` as multiples of 2^exponent, less what is beyond the last.
  WideInteger(double value, int exponent) {
    int power = 0;
    const double fraction = std::frexp(std::fabs(value), &power);
    auto mantissa = static_cast<uint64_t>(std::ldexp(fraction, 53));
    int shift = power - 53 - exponent;
    if (shift < 0) {
      mantissa = shift > -64 ? mantissa >> -shift : 0;
      shift = 0;
    }
    if (mantissa != 0) set(mantissa, shift, value < 0);
  }

  WideInteger& operator+=(const WideInteger& other) {
    uint64_t carry = 0;
    for (size_t k = 0; k < kSize; ++k) {
      const uint64_t with_carry = other.limbs_[k] + carry;
      carry = with_carry < carry ? 1 : 0;
      limbs_[k] += with_carry;
      carry += limbs_[k] < with_carry ? 1 : 0;
    }
    return *this;
  }

  WideInteger& operator-=(const WideInteger& other) {
    uint64_t borrow = 0;
    for (size_t k = 0; k < kSize; ++k) {
      const uint64_t with_borrow = other.limbs_[k] + borrow;
      borrow = with_borrow < borrow ? 1 : 0;
      borrow += limbs_[k] < with_borrow ? 1 : 0;
      limbs_[k] -= with_borrow;
    }
    return *this;
  }

  friend WideInteger operator+(WideInteger a, const WideInteger& b) { return a += b; }
  friend WideInteger operator-(WideInteger a, const WideInteger& b) { return a -= b; }

  bool is_negative() const { return limbs_[kSize - 1] >> 63 != 0; }

  friend bool operator<(const WideInteger& a, const WideInteger& b) {
    constexpr size_t kTop = kSize - 1;
    if (a.limbs_[kTop] != b.limbs_[kTop]) {
      return static_cast<int64_t>(a.limbs_[kTop]) < static_cast<int64_t>(b.limbs_[kTop]);
    }
    for (size_t k = kTop; k-- > 0;) {
      if (a.limbs_[k] != b.limbs_[k]) return a.limbs_[k] < b.limbs_[k];
    }
    return false;
  }

  friend bool operator==(const WideInteger& a, const WideInteger& b) {
    return a.limbs_ == b.limbs_;
  }

  /// The number times 2^exponent, rounded to nearest.
  double to_double(int exponent) const {
    const bool negative = is_negative();
    const WideInteger magnitude = negative ? WideInteger() - *this : *this;
    size_t top = kSize;
    while (top > 0 && magnitude.limbs_[top - 1] == 0) --top;
    if (top == 0) return 0;
    // The 64 bits from the first that is set on; the last of them stands for all that follow.
    uint64_t bits = magnitude.limbs_[top - 1];
    const uint64_t next = top > 1 ? magnitude.limbs_[top - 2] : 0;
    int shift = 0;
    while (bits >> 63 == 0) {
      bits = bits << 1 | (next << shift >> 63);
      ++shift;
    }
    bool rest = next << shift != 0;
    for (size_t k = 0; k + 2 < top; ++k) rest = rest || magnitude.limbs_[k] != 0;
    const auto rounded = static_cast<double>(bits | (rest ? 1 : 0));
    const double result = std::ldexp(rounded, 64 * (static_cast<int>(top) - 1) - shift + exponent);
    return negative ? -result : result;
  }

 private:
  static constexpr size_t kSize = kLimbs;

  // +-(magnitude << shift), from 0.
  void set(uint64_t magnitude, int shift, bool negative) {
    const auto at = static_cast<size_t>(shift / 64);
    const int by = shift % 64;
    limbs_[at] = magnitude << by;
    if (by != 0 && at + 1 < kSize) limbs_[at + 1] = magnitude >> (64 - by);
    if (negative) *this = WideInteger() - *this;
  }

  std::array<uint64_t, kSize> limbs_ = {};
};

}  // namespace ata

#endif  // ATA_ASSIGNMENT_WIDE_INTEGER_H_
