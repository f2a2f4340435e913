#include "api/boundary.h"
#include "model/safetensors.h"

using ata::api::guard;
using ata::api::make_handle;
using ata::api::require_enum;
using ata::api::require_pointer;

struct ata_tensor_file {
  ata::TensorFile file;
};

namespace {

ata::Shape shape_from(const int64_t* shape, int32_t rank) {
  ata::require(rank >= 0 && rank <= ATA_MAX_RANK, "rank is ", rank, "; valid values are 0 to ",
               ATA_MAX_RANK);
  if (rank > 0) require_pointer(shape, "shape");
  return ata::Shape(std::span<const int64_t>(shape, static_cast<size_t>(rank)));
}

}  // namespace

ata_status ata_tensor_create(ata_dtype dtype, const int64_t* shape, int32_t rank,
                             ata_tensor** tensor) noexcept {
  return guard([&] {
    require_pointer(tensor, "tensor");
    require_enum(dtype, ATA_U8, "dtype");
    *tensor =
        make_handle(ata::Tensor::zeros(shape_from(shape, rank), static_cast<ata::DType>(dtype)))
            .release();
  });
}

ata_status ata_tensor_wrap(void* data, size_t size, ata_dtype dtype, const int64_t* shape,
                           int32_t rank, ata_tensor** tensor) noexcept {
  return guard([&] {
    require_pointer(tensor, "tensor");
    require_enum(dtype, ATA_U8, "dtype");
    const auto type = static_cast<ata::DType>(dtype);
    const ata::Shape dims = shape_from(shape, rank);
    const size_t needed = static_cast<size_t>(dims.count()) * ata::dtype_size(type);
    ata::require(size == needed, "a tensor of ", ata::dtype_name(type), " ", dims.to_string(),
                 " needs ", needed, " bytes, not ", size);
    if (needed > 0) require_pointer(data, "data");
    ata::require(reinterpret_cast<uintptr_t>(data) % ata::dtype_size(type) == 0,
                 "data is not aligned to its elements of ", ata::dtype_size(type), " bytes");
    *tensor = make_handle(ata::Tensor::wrap(data, dims, type, nullptr)).release();
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
    result.data = view.raw();
    result.size = view.bytes();
    result.dtype = static_cast<ata_dtype>(view.dtype());
    result.rank = view.rank();
    for (int axis = 0; axis < view.rank(); ++axis) result.shape[axis] = view.dim(axis);
    *info = result;
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

ata_status ata_tensor_file_name(const ata_tensor_file* file, size_t index,
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
    *tensor = make_handle(file->file.get(name)).release();
  });
}

ata_status ata_tensor_file_set(ata_tensor_file* file, const char* name,
                               const ata_tensor* tensor) noexcept {
  return guard([&] {
    require_pointer(file, "file");
    require_pointer(name, "name");
    require_pointer(tensor, "tensor");
    file->file.set(name, tensor->tensor);
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
