#ifndef ATA_API_DLPACK_H_
#define ATA_API_DLPACK_H_

#include <cstdint>

// The binary layout of DLPack 1 (https://dmlc.github.io/dlpack/latest/c_api.html): how frameworks
// lend each other tensors. Its names are those of the standard's dlpack.h, which libata does not
// need to be built.

extern "C" {

struct DLPackVersion {
  uint32_t major;
  uint32_t minor;
};

enum DLDeviceType : int32_t { kDLCPU = 1, kDLCUDA = 2, kDLCUDAManaged = 13 };

struct DLDevice {
  int32_t device_type;
  int32_t device_id;
};

enum DLDataTypeCode : uint8_t { kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4 };

struct DLDataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};

struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  /// In elements; null for row-major without gaps.
  int64_t* strides;
  uint64_t byte_offset;
};

/// Bits of DLManagedTensorVersioned::flags.
constexpr uint64_t kDLReadOnly = 1;

struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  /// Called once by who holds this; may be null.
  void (*deleter)(DLManagedTensorVersioned* self);
  uint64_t flags;
  DLTensor dl_tensor;
};

}  // extern "C"

#endif  // ATA_API_DLPACK_H_
