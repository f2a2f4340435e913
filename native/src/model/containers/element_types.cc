#include "model/containers/element_types.h"

#include <bit>
#include <cstring>
#include <map>

#include "base/error.h"
#include "tensor/tensor.h"

namespace ata {
namespace {

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 127 - 15) << 23) | (mantissa << 13));
  }
  // Subnormal: mantissa * 2^-24.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

// `stored` may lie at any address.
template <typename Stored, typename Convert>
void convert(const char* stored, size_t count, float* out, const Convert& to_f32) {
  for (size_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, stored + i * sizeof(Stored), sizeof(Stored));
    out[i] = to_f32(value);
  }
}

}  // namespace

uint64_t element_size(const std::string& type) {
  static const std::map<std::string, uint64_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},   {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2},
      {"U16", 2},  {"F16", 2}, {"BF16", 2}, {"I32", 4},     {"U32", 4},     {"F32", 4},
      {"I64", 8},  {"U64", 8}, {"F64", 8},  {"C64", 8},     {"C128", 16}};
  const auto found = sizes.find(type);
  return found == sizes.end() ? 0 : found->second;
}

bool is_floating_point(const std::string& type) {
  return type == "F32" || type == "F16" || type == "BF16" || type == "F64";
}

void convert_to_f32(const std::string& type, const char* stored, size_t count, float* out) {
  if (type == "F32") {
    if (count > 0) std::memcpy(out, stored, count * sizeof(float));
  } else if (type == "F16") {
    convert<uint16_t>(stored, count, out, half_to_float);
  } else if (type == "BF16") {
    convert<uint16_t>(stored, count, out, [](uint16_t bits) { return to_float(BFloat16{bits}); });
  } else if (type == "F64") {
    convert<double>(stored, count, out, [](double value) { return static_cast<float>(value); });
  } else {
    fail(ATA_INTERNAL, "element type ", type, " is not a floating-point type");
  }
}

bool multiply(uint64_t a, uint64_t b, uint64_t* product) {
  *product = a * b;
  return a == 0 || *product / a == b;
}

}  // namespace ata
