#include <algorithm>
#include <limits>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api/boundary.h"
#include "model/safetensors.h"
#include "ops/context.h"
#include "ops/devices.h"

using ata::api::guard;
using ata::api::make_handle;
using ata::api::read_struct;
using ata::api::require_enum;
using ata::api::require_pointer;
using ata::api::wrap_foreign;
using ata::api::write_struct;

struct ata_tensor_file {
  ata::TensorFile file;
  /// Names of tensors whose memory must not be written to.
  std::set<std::string> read_only = {};
};

namespace {

// Where memory is that others lend.
constexpr const char* kHost = "cpu";

ata::Shape shape_from(const int64_t* shape, int32_t rank) {
  ata::require(rank >= 0 && rank <= ATA_MAX_RANK, "rank is ", rank, "; valid values are 0 to ",
               ATA_MAX_RANK);
  if (rank > 0) require_pointer(shape, "shape");
  return ata::Shape(std::span<const int64_t>(shape, static_cast<size_t>(rank)));
}

// A stream of a device for one copy, which other calls may have had before and will have again:
// making one, with the pinned memory that copies go through, costs more than many a copy, and may
// wait for all that the device does.
class CopyStream {
 public:
  explicit CopyStream(ata::Device& device) {
    {
      std::lock_guard lock(mutex_);
      const auto found = std::find_if(idle().begin(), idle().end(),
                                      [&](const auto& s) { return &s->device == &device; });
      if (found != idle().end()) {
        context_.stream = std::move(*found);
        idle().erase(found);
      }
    }
    if (!context_.stream) context_ = ata::make_context(device);
  }
  CopyStream(const CopyStream&) = delete;
  CopyStream& operator=(const CopyStream&) = delete;
  // One that failed goes: its work may still be under way.
  void give_back() {
    std::lock_guard lock(mutex_);
    idle().push_back(std::move(context_.stream));
  }
  const ata::Context& context() const { return context_; }

 private:
  using Streams = std::vector<std::shared_ptr<ata::Stream>>;
  // Never destroyed: it would come after the device's own end.
  static Streams& idle() {
    static Streams& streams = *new Streams;
    return streams;
  }
  static inline std::mutex mutex_;

  ata::Context context_;
};

// Between any two memories, done when it returns. The host's may overlap: they can be of one
// lender.
void copy_values(const ata::Tensor& from, ata::Tensor& to) {
  if (to.device() == nullptr) {
    if (from.device() == nullptr) {
      if (from.bytes() > 0) std::memmove(to.raw(), from.raw(), from.bytes());
      return;
    }
    CopyStream stream(*from.device());
    const ata::CopyOut copy = {to.raw(), from.address(), from.bytes()};
    from.device()->copy_out(std::span(&copy, 1), *stream.context().stream);
    stream.give_back();
    return;
  }
  if (from.address() == to.address()) return;
  ata::Tensor source = from;
  if (from.device() != nullptr && from.device() != to.device()) {
    source = ata::Tensor(from.shape(), from.dtype());
    copy_values(from, source);
  }
  CopyStream stream(*to.device());
  stream.context().assign(to, source);
  stream.context().synchronize();
  stream.give_back();
}

void require_row_major(const ata::Shape& shape, const int64_t* strides, const char* what) {
  if (strides == nullptr || shape.count() == 0) return;
  const auto expected = ata::api::row_major_strides(shape);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    // Along an axis of one index nothing is ever stepped over.
    if (shape[axis] == 1 || strides[axis] == expected[static_cast<size_t>(axis)]) continue;
    ata::fail(ATA_UNSUPPORTED, what, " has stride ", strides[axis], " on axis ", axis,
              " of its shape ", shape.to_string(), ", where row-major order without gaps has ",
              expected[static_cast<size_t>(axis)], "; make a contiguous copy of it");
  }
}

}  // namespace

std::array<int64_t, ATA_MAX_RANK> ata::api::row_major_strides(const Shape& shape) {
  std::array<int64_t, ATA_MAX_RANK> strides = {};
  int64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<size_t>(axis)] = step;
    // As if the extents of an empty tensor were 1, so that it cannot overflow.
    if (shape.count() > 0) step *= shape[axis];
  }
  return strides;
}

std::unique_ptr<ata_tensor> ata::api::make_handle(Tensor tensor, bool read_only) {
  const auto strides = row_major_strides(tensor.shape());
  const char* device = tensor.device() != nullptr ? tensor.device()->info().name.c_str() : kHost;
  return std::unique_ptr<ata_tensor>(new ata_tensor{std::move(tensor), device, strides, read_only});
}

ata::Device& ata::api::device_named(const char* name) {
  return name != nullptr ? device_by_name(name) : cpu_device();
}

const ata::Tensor& ata::api::tensor_for(const Device& device, const ata_tensor* tensor,
                                        const char* name) {
  const Device* const home = tensor->tensor.device();
  // Texts are made only when needed: some callers promise not to allocate.
  if (home == nullptr || home == &device) return tensor->tensor;
  const char* const here = device.info().name.c_str();
  fail(ATA_INVALID_ARGUMENT, name, " is in the memory of device '", tensor->device,
       "', and the call runs on '", here, "'; copy it to '", here,
       "' with ata_tensor_copy(), or run the call on '", tensor->device, "'");
}

const ata::Tensor& ata::api::host_tensor(const ata_tensor* tensor, const char* name) {
  if (tensor->tensor.device() == nullptr) return tensor->tensor;
  fail(ATA_INVALID_ARGUMENT, name, " is in the memory of device '", tensor->device,
       "', and the call needs it in the host's; copy it to 'cpu' with ata_tensor_copy()");
}

ata::Tensor ata::api::brought_to_host(const Device& device, const ata_tensor* tensor,
                                      const char* name) {
  const Tensor& given = tensor_for(device, tensor, name);
  if (given.device() == nullptr) return given;
  Tensor result(given.shape(), given.dtype());
  copy_values(given, result);
  return result;
}

std::unique_ptr<ata_tensor> ata::api::wrap_foreign(void* data, DType dtype, const Shape& shape,
                                                   const int64_t* strides, bool read_only,
                                                   ata_release_callback release, void* user_data,
                                                   const char* what, Device* device) {
  if (shape.count() > 0) require_pointer(data, what);
  if (device != nullptr && shape.count() > 0) device->check_reachable(data, what);
  require(reinterpret_cast<uintptr_t>(data) % dtype_size(dtype) == 0, what,
          " is not aligned to its elements of ", dtype_size(dtype), " bytes");
  const size_t bytes = static_cast<size_t>(shape.count()) * dtype_size(dtype);
  require(bytes <= std::numeric_limits<uintptr_t>::max() - reinterpret_cast<uintptr_t>(data), what,
          " of ", shape.to_string(), " would end beyond all memory");
  require_row_major(shape, strides, what);
  auto loan = std::make_shared<Loan>();
  // Of a device whose memory is the host's it is the host's.
  const Allocator* memory = device != nullptr ? device->memory().get() : nullptr;
  if (memory != nullptr && memory->device() == nullptr) memory = nullptr;
  auto handle = make_handle(Tensor::wrap(data, shape, dtype, loan, memory), read_only);
  // Last, when nothing can fail any more.
  loan->user_data = user_data;
  loan->release = release;
  return handle;
}

ata_status ata_tensor_create(ata_dtype dtype, const int64_t* shape, int32_t rank,
                             const char* device, ata_tensor** tensor) noexcept {
  return guard([&] {
    require_pointer(tensor, "tensor");
    require_enum(dtype, ATA_U8, "dtype");
    const ata::Shape extents = shape_from(shape, rank);
    const ata::Context context = ata::make_context(ata::api::device_named(device));
    ata::Tensor zeros = context.zeros(extents, static_cast<ata::DType>(dtype));
    context.synchronize();
    *tensor = make_handle(std::move(zeros)).release();
  });
}

ata_status ata_tensor_copy(const ata_tensor* tensor, const char* device,
                           ata_tensor** copy) noexcept {
  return guard([&] {
    require_pointer(tensor, "tensor");
    require_pointer(copy, "copy");
    ata::Device& target = ata::api::device_named(device);
    const ata::Tensor& from = tensor->tensor;
    ata::Tensor to(from.shape(), from.dtype(), target.memory());
    copy_values(from, to);
    *copy = make_handle(std::move(to)).release();
  });
}

ata_status ata_tensor_copy_into(const ata_tensor* from, ata_tensor* to) noexcept {
  return guard([&] {
    require_pointer(from, "from");
    require_pointer(to, "to");
    const ata::Tensor& source = from->tensor;
    ata::Tensor& target = to->tensor;
    ata::require(source.dtype() == target.dtype() && source.shape() == target.shape(), "from is ",
                 ata::dtype_name(source.dtype()), " ", source.shape().to_string(), " and to is ",
                 ata::dtype_name(target.dtype()), " ", target.shape().to_string(),
                 "; they must be of one type and shape");
    ata::require(!to->read_only, "to is read-only; copy into a tensor that may be written to");
    copy_values(source, target);
  });
}

ata_status ata_tensor_wrap(const ata_tensor_info* info, ata_release_callback release,
                           void* user_data, ata_tensor** tensor) noexcept {
  return guard([&] {
    require_pointer(info, "info");
    require_pointer(tensor, "tensor");
    const ata_tensor_info given = read_struct(info, ata_tensor_info{}, "ata_tensor_info");
    require_enum(given.dtype, ATA_U8, "ata_tensor_info.dtype");
    require_enum(given.read_only, 1, "ata_tensor_info.read_only");
    ata::require(given.reserved == 0, "ata_tensor_info.reserved is ", given.reserved,
                 "; it must be 0");
    if (given.device != nullptr && std::strcmp(given.device, kHost) != 0) {
      ata::fail(ATA_UNSUPPORTED, "ata_tensor_info.device is '", given.device,
                "'; memory that is lent must be the host's, of 'cpu'");
    }
    const auto type = static_cast<ata::DType>(given.dtype);
    const ata::Shape shape = shape_from(given.shape, given.rank);
    const size_t needed = static_cast<size_t>(shape.count()) * ata::dtype_size(type);
    ata::require(given.size == needed, "a tensor of ", ata::dtype_name(type), " ",
                 shape.to_string(), " needs ", needed, " bytes, not ", given.size);
    *tensor = wrap_foreign(given.data, type, shape, given.strides, given.read_only != 0, release,
                           user_data, "ata_tensor_info.data")
                  .release();
  });
}

void ata_tensor_release(ata_tensor* tensor) noexcept {
  delete tensor;
}

ata_status ata_tensor_get_info(const ata_tensor* tensor, ata_tensor_info* info) noexcept {
  return guard([&] {
    require_pointer(tensor, "tensor");
    require_pointer(info, "info");
    ata::Tensor view = tensor->tensor;
    ata_tensor_info result = {};
    result.data = view.device() == nullptr ? view.raw() : nullptr;
    result.strides = tensor->strides.data();
    result.device = tensor->device;
    result.read_only = tensor->read_only ? 1 : 0;
    result.size = view.bytes();
    result.dtype = static_cast<ata_dtype>(view.dtype());
    result.rank = view.rank();
    for (int axis = 0; axis < view.rank(); ++axis) result.shape[axis] = view.dim(axis);
    write_struct(result, info, "ata_tensor_info");
  });
}

ata_status ata_tensor_file_create(ata_tensor_file** file) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    *file = new ata_tensor_file{};
  });
}

ata_status ata_tensor_file_open(const char* path, ata_tensor_file** file) noexcept {
  return guard([&] {
    require_pointer(path, "path");
    require_pointer(file, "file");
    *file = new ata_tensor_file{ata::TensorFile(path)};
  });
}

void ata_tensor_file_release(ata_tensor_file* file) noexcept {
  delete file;
}

size_t ata_tensor_file_count(const ata_tensor_file* file) noexcept {
  return file ? file->file.count() : 0;
}

ata_status ata_tensor_file_get_name(const ata_tensor_file* file, size_t index,
                                    const char** name) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(name, "name");
    ata::require(index < file->file.count(), "index is ", index, "; the file has ",
                 file->file.count(), " tensors");
    *name = file->file.name(index).c_str();
  });
}

ata_status ata_tensor_file_get(const ata_tensor_file* file, const char* name,
                               ata_tensor** tensor) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(name, "name");
    require_pointer(tensor, "tensor");
    *tensor = make_handle(file->file.get(name), file->read_only.count(name) > 0).release();
  });
}

ata_status ata_tensor_file_set(ata_tensor_file* file, const char* name,
                               const ata_tensor* tensor) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(name, "name");
    require_pointer(tensor, "tensor");
    const ata::Tensor& content = ata::api::host_tensor(tensor, "tensor");
    // In this order what fails half-way leaves no read-only memory that seems writable.
    if (tensor->read_only) {
      file->read_only.insert(name);
      file->file.set(name, content);
    } else {
      file->file.set(name, content);
      file->read_only.erase(name);
    }
  });
}

ata_status ata_tensor_file_get_metadata(const ata_tensor_file* file, const char* key,
                                        const char** value) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(key, "key");
    require_pointer(value, "value");
    const std::string* found = file->file.metadata(key);
    *value = found ? found->c_str() : nullptr;
  });
}

ata_status ata_tensor_file_set_metadata(ata_tensor_file* file, const char* key,
                                        const char* value) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(key, "key");
    require_pointer(value, "value");
    file->file.set_metadata(key, value);
  });
}

ata_status ata_tensor_file_save(const ata_tensor_file* file, const char* path) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(path, "path");
    file->file.save(path);
  });
}
