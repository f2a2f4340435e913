#ifndef ATA_MODEL_CONTAINERS_ELEMENT_TYPES_H_
#define ATA_MODEL_CONTAINERS_ELEMENT_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ata {

/// Element types of stored tensors go by the names of the safetensors format: "F32", "BF16", ...

/// Bytes of an element, or 0 for a type this library does not know.
uint64_t element_size(const std::string& type);

/// Whether convert_to_f32() takes the type.
bool is_floating_point(const std::string& type);

/// Converts `count` numbers of a floating-point type, in this machine's byte order.
void convert_to_f32(const std::string& type, const char* stored, size_t count, float* out);

/// False when the product does not fit.
bool multiply(uint64_t a, uint64_t b, uint64_t* product);

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_ELEMENT_TYPES_H_
