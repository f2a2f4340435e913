#ifndef ATA_TESTS_ASSIGNMENT_EXACT_NUMBERS_H_
#define ATA_TESTS_ASSIGNMENT_EXACT_NUMBERS_H_

#include <array>
#include <cmath>
#include <cstdint>

namespace ata {

/// Sums of finite floats without rounding: digits of 32 bits, in units of 2^-149, which may grow
/// beyond that and have either sign until they are normalized.
class ExactNumber {
 public:
  ExactNumber() = default;
  /// `value` is a multiple of 2^-149, as every float is and every sum of floats rounded to double.
  explicit ExactNumber(double value) {
    int exponent = 0;
    const double fraction = std::frexp(std::fabs(value), &exponent);
    auto mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
    int shift = exponent - 53 + 149;
    for (; shift < 0 && mantissa != 0; ++shift) mantissa /= 2;
    for (; mantissa != 0; mantissa >>= 16, shift += 16) {
      digits_[static_cast<size_t>(shift / 32)] += (mantissa & 0xFFFF) << (shift % 32);
    }
    if (value < 0) *this *= -1;
  }

  ExactNumber& operator+=(const ExactNumber& other) {
    for (size_t k = 0; k < digits_.size(); ++k) digits_[k] += other.digits_[k];
    return *this;
  }
  ExactNumber& operator-=(const ExactNumber& other) {
    for (size_t k = 0; k < digits_.size(); ++k) digits_[k] -= other.digits_[k];
    return *this;
  }
  /// By up to a million.
  ExactNumber& operator*=(int factor) {
    normalize();
    for (int64_t& digit : digits_) digit *= factor;
    return *this;
  }
  friend ExactNumber operator+(ExactNumber a, const ExactNumber& b) { return a += b; }
  friend ExactNumber operator-(ExactNumber a, const ExactNumber& b) { return a -= b; }
  friend ExactNumber operator*(ExactNumber a, int factor) { return a *= factor; }
  friend bool operator<(const ExactNumber& a, const ExactNumber& b) { return (a - b).sign() < 0; }
  friend bool operator<=(const ExactNumber& a, const ExactNumber& b) { return !(b < a); }
  friend bool operator==(const ExactNumber& a, const ExactNumber& b) { return (a - b).sign() == 0; }

  ExactNumber magnitude() const { return sign() < 0 ? *this * -1 : *this; }

 private:
  // All digits from 0 to 2^32 - 1, but for the last, which has the sign.
  void normalize() {
    for (size_t k = 0; k + 1 < digits_.size(); ++k) {
      digits_[k + 1] += digits_[k] >> 32;
      digits_[k] &= 0xFFFFFFFF;
    }
  }
  int sign() const {
    ExactNumber number = *this;
    number.normalize();
    if (number.digits_.back() < 0) return -1;
    for (const int64_t digit : number.digits_) {
      if (digit != 0) return 1;
    }
    return 0;
  }

  std::array<int64_t, 13> digits_ = {};
};

}  // namespace ata

#endif  // ATA_TESTS_ASSIGNMENT_EXACT_NUMBERS_H_
