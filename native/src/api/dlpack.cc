#include "api/dlpack.h"

#include <limits>
#include <utility>

#include "api/boundary.h"
#include "ops/devices.h"

using ata::api::guard;
using ata::api::require_pointer;
using ata::api::wrap_foreign;

namespace {

constexpr uint32_t kMajor = 1;

DLDataType to_dlpack(ata::DType dtype) {
  const auto bits = static_cast<uint8_t>(8 * ata::dtype_size(dtype));
  switch (dtype) {
    case ata::DType::kF32:
    case ata::DType::kF64:
      return {kDLFloat, bits, 1};
    case ata::DType::kBF16:
      return {kDLBfloat, bits, 1};
    case ata::DType::kI32:
    case ata::DType::kI64:
      return {kDLInt, bits, 1};
    case ata::DType::kU8:
      return {kDLUInt, bits, 1};
  }
  ata::fail(ATA_INTERNAL, "unknown element type ", static_cast<int>(dtype));
}

ata::DType from_dlpack(DLDataType type) {
  for (const ata::DType dtype :
       {ata::DType::kF32, ata::DType::kBF16, ata::DType::kI32, ata::DType::kI64, ata::DType::kU8}) {
    const DLDataType known = to_dlpack(dtype);
    if (type.code == known.code && type.bits == known.bits && type.lanes == 1) return dtype;
  }
  ata::fail(ATA_UNSUPPORTED, "the DLPack tensor has elements of type code ", int{type.code},
            " with ", int{type.bits}, " bits and ", int{type.lanes},
            " lanes; convert it to float32, bfloat16, int32, int64 or uint8");
}

// Null stays null: an empty tensor may have no memory.
void* first_element(const DLTensor& given) {
  if (given.data == nullptr) return nullptr;
  const auto start = reinterpret_cast<uintptr_t>(given.data);
  ata::require(given.byte_offset <= std::numeric_limits<uintptr_t>::max() - start,
               "the DLPack tensor's byte_offset is ", given.byte_offset,
               ", which leads beyond all memory");
  return static_cast<char*>(given.data) + given.byte_offset;
}

// The device of a tensor that another framework lends; null for the host's memory.
ata::Device* device_of(DLDevice given) {
  if (given.device_type == kDLCPU) return nullptr;
  if (given.device_type != kDLCUDA && given.device_type != kDLCUDAManaged) {
    ata::fail(ATA_UNSUPPORTED, "the DLPack tensor is on a device of type ", given.device_type,
              "; copy it to the CPU, type ", int{kDLCPU}, ", or to a GPU, type ", int{kDLCUDA});
  }
  return &ata::device_by_name(ata::concat("cuda:", given.device_id));
}

DLDevice to_dlpack(const ata_tensor& tensor) {
  if (tensor.tensor.device() == nullptr) return {kDLCPU, 0};
  const std::string name = tensor.tensor.device()->info().name;
  if (!name.starts_with("cuda:")) {
    ata::fail(ATA_UNSUPPORTED, "the tensor is in the memory of device '", tensor.device,
              "', which cannot be lent through DLPack; copy it to 'cpu' with ata_tensor_copy()");
  }
  return {kDLCUDA, ata::parse_device(name).index};
}

// A tensor of ours in another framework's hands.
struct Lent {
  DLManagedTensorVersioned managed;
  ata_tensor tensor;
  std::array<int64_t, ATA_MAX_RANK> shape;
};

void delete_lent(DLManagedTensorVersioned* managed) {
  delete static_cast<Lent*>(managed->manager_ctx);
}

// Gives another framework's tensor back.
void give_back(void* managed) {
  auto* const tensor = static_cast<DLManagedTensorVersioned*>(managed);
  if (tensor->deleter != nullptr) tensor->deleter(tensor);
}

}  // namespace

ata_status ata_tensor_from_dlpack(DLManagedTensorVersioned* managed, ata_tensor** tensor) noexcept {
  return guard([&] {
    require_pointer(managed, "managed");
    require_pointer(tensor, "tensor");
    // Of another major version nothing behind the deleter may be read.
    if (managed->version.major != kMajor) {
      ata::fail(ATA_UNSUPPORTED, "the tensor is of DLPack ", managed->version.major, ".",
                managed->version.minor, "; ask for version ", kMajor, " (max_version)");
    }
    const DLTensor& given = managed->dl_tensor;
    const ata::DType dtype = from_dlpack(given.dtype);
    ata::require(given.ndim >= 0 && given.ndim <= ATA_MAX_RANK, "the DLPack tensor has ",
                 given.ndim, " axes; 0 to ", ATA_MAX_RANK, " are possible");
    if (given.ndim > 0) require_pointer(given.shape, "the DLPack tensor's shape");
    const ata::Shape shape(std::span<const int64_t>(given.shape, static_cast<size_t>(given.ndim)));
    *tensor = wrap_foreign(first_element(given), dtype, shape, given.strides,
                           (managed->flags & kDLReadOnly) != 0, give_back, managed,
                           "the DLPack tensor's data", device_of(given.device))
                  .release();
  });
}

ata_status ata_tensor_to_dlpack(const ata_tensor* tensor,
                                DLManagedTensorVersioned** managed) noexcept {
  return guard([&] {
    require_pointer(tensor, "tensor");
    require_pointer(managed, "managed");
    const DLDevice device = to_dlpack(*tensor);
    auto lent = std::make_unique<Lent>(Lent{{}, *tensor, {}});
    const ata::Shape& shape = lent->tensor.tensor.shape();
    std::copy(shape.dims().begin(), shape.dims().end(), lent->shape.begin());
    lent->managed = {.version = {kMajor, 0},
                     .manager_ctx = lent.get(),
                     .deleter = delete_lent,
                     .flags = lent->tensor.read_only ? kDLReadOnly : 0,
                     .dl_tensor = {.data = lent->tensor.tensor.address(),
                                   .device = device,
                                   .ndim = shape.rank(),
                                   .dtype = to_dlpack(lent->tensor.tensor.dtype()),
                                   .shape = lent->shape.data(),
                                   .strides = lent->tensor.strides.data(),
                                   .byte_offset = 0}};
    *managed = &lent.release()->managed;
  });
}
