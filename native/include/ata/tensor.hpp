/// @file tensor.hpp
/// Part of ata.hpp: tensors and files of tensors.
#ifndef ATA_TENSOR_HPP_
#define ATA_TENSOR_HPP_

#include <algorithm>
#include <ata/library.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// Storage of one bfloat16 element: the upper half of an IEEE single.
struct BFloat16 {
  uint16_t bits;  ///< Sign, 8 bits of exponent, 7 of mantissa.

  /// The value; exact.
  explicit operator float() const {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }
};

/// The ::ata_dtype of a C++ element type: float, BFloat16, int32_t, int64_t or uint8_t.
template <typename T>
constexpr ata_dtype dtype_of() {
  if constexpr (std::is_same_v<T, float>) {
    return ATA_F32;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return ATA_BF16;
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return ATA_I32;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return ATA_I64;
  } else {
    static_assert(std::is_same_v<T, uint8_t>, "not an element type of Ata");
    return ATA_U8;
  }
}

/// A contiguous row-major array in the memory of the host or of a device. Reading from several
/// threads at once is safe.
class Tensor {
 public:
  /// Extents, the slowest axis first.
  using Shape = std::vector<int64_t>;

  /// Takes ownership of a handle of the C API.
  explicit Tensor(ata_tensor* handle) : handle_(handle) {
    info_.struct_size = sizeof info_;
    detail::check(ata_tensor_get_info(handle, &info_));
  }

  /// A tensor of zeros in the memory of a device.
  template <typename T>
  static Tensor zeros(const Shape& shape, const std::string& device = "cpu") {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_tensor_create(dtype_of<T>(), shape.data(), static_cast<int32_t>(shape.size()),
                               device.c_str(), out);
    }));
  }

  /// A copy in new memory of a device; see ata_tensor_copy().
  Tensor copy_to(const std::string& device) const {
    return Tensor(detail::make<ata_tensor>(
        [&](ata_tensor** out) { return ata_tensor_copy(handle_.get(), device.c_str(), out); }));
  }

  /// Copies the elements over those of another tensor of the same type and shape, on any device;
  /// see ata_tensor_copy_into().
  void copy_into(Tensor& to) const { detail::check(ata_tensor_copy_into(handle_.get(), to.get())); }

  /// A tensor with a copy of `values`, as many as `shape` holds.
  template <typename T>
  static Tensor copy_of(std::span<const T> values, const Shape& shape) {
    Tensor tensor = zeros<T>(shape);
    if (values.size_bytes() != tensor.size_bytes()) {
      throw Error(ATA_INVALID_ARGUMENT, "a tensor of " + std::to_string(tensor.size_bytes()) +
                                            " bytes cannot be filled from " +
                                            std::to_string(values.size_bytes()) + " bytes");
    }
    std::copy(values.begin(), values.end(), tensor.data<T>().begin());
    return tensor;
  }

  /// A tensor over the caller's memory, which must outlive it; nothing is copied. Memory of const
  /// elements makes a read-only tensor.
  template <typename T>
  static Tensor wrap(std::span<T> memory, const Shape& shape) {
    return Tensor(wrap_memory(memory, shape, nullptr, nullptr));
  }

  /// The same over memory that `release()` gives back. It is called once, by the thread that drops
  /// the last reference, and must not throw; it is not called when this function throws.
  template <typename T, typename Release>
  static Tensor wrap(std::span<T> memory, const Shape& shape, Release release) {
    auto owned = std::make_unique<Release>(std::move(release));
    const ata_release_callback callback = [](void* user_data) {
      const std::unique_ptr<Release> back(static_cast<Release*>(user_data));
      (*back)();
    };
    ata_tensor* const handle = wrap_memory(memory, shape, callback, owned.get());
    owned.release();
    return Tensor(handle);
  }

  /// A tensor over another framework's memory, which takes `managed` over unless it throws; see
  /// ata_tensor_from_dlpack().
  static Tensor from_dlpack(DLManagedTensorVersioned* managed) {
    return Tensor(detail::make<ata_tensor>(
        [&](ata_tensor** out) { return ata_tensor_from_dlpack(managed, out); }));
  }

  /// Lends the memory to another framework, which calls the result's deleter once; see
  /// ata_tensor_to_dlpack().
  DLManagedTensorVersioned* to_dlpack() const {
    return detail::make<DLManagedTensorVersioned>(
        [&](DLManagedTensorVersioned** out) { return ata_tensor_to_dlpack(handle_.get(), out); });
  }

  /// Element type.
  ata_dtype dtype() const noexcept { return info_.dtype; }

  /// Bytes that the elements take.
  size_t size_bytes() const noexcept { return info_.size; }

  /// Number of axes.
  int rank() const noexcept { return info_.rank; }

  /// The extents; valid while the tensor lives.
  std::span<const int64_t> shape() const noexcept {
    return {info_.shape, static_cast<size_t>(info_.rank)};
  }

  /// From one index of an axis to the next, in elements; valid while the tensor lives.
  std::span<const int64_t> strides() const noexcept {
    return {info_.strides, static_cast<size_t>(info_.rank)};
  }

  /// Name of the device whose memory the elements are in.
  std::string device() const { return info_.device; }

  /// Whether the elements must not be written to.
  bool read_only() const noexcept { return info_.read_only != 0; }

  /// The elements; valid while the tensor lives. Throws Error unless T is the element type, if they
  /// are not in the host's memory (copy_to("cpu") brings them), and
  /// where they may be written to (T not const) if the tensor is read-only.
  template <typename T>
  std::span<T> data() {
    if (!std::is_const_v<T> && read_only()) {
      throw Error(ATA_INVALID_ARGUMENT,
                  "the tensor is read-only; ask for data<const T>(), or copy it to write to it");
    }
    return elements<T>();
  }

  /// The same, to read.
  template <typename T>
  std::span<const T> data() const {
    return elements<T>();
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_tensor* get() const noexcept { return handle_.get(); }

  /// Gives up ownership of the handle.
  ata_tensor* release() noexcept { return handle_.release(); }

 private:
  template <typename T>
  static ata_tensor* wrap_memory(std::span<T> memory, const Shape& shape,
                                 ata_release_callback release, void* user_data) {
    ata_tensor_info info = {};
    info.struct_size = sizeof info;
    info.data = const_cast<std::remove_const_t<T>*>(memory.data());
    info.size = memory.size_bytes();
    info.dtype = dtype_of<std::remove_const_t<T>>();
    info.rank = static_cast<int32_t>(shape.size());
    // One with too many axes is refused by its rank.
    std::copy_n(shape.begin(), std::min(shape.size(), std::size(info.shape)), info.shape);
    info.read_only = std::is_const_v<T> ? 1 : 0;
    return detail::make<ata_tensor>(
        [&](ata_tensor** out) { return ata_tensor_wrap(&info, release, user_data, out); });
  }

  template <typename T>
  std::span<T> elements() const {
    if (dtype_of<std::remove_const_t<T>>() != info_.dtype) {
      throw Error(ATA_INVALID_ARGUMENT,
                  "the tensor's element type is " + std::to_string(info_.dtype) + ", not " +
                      std::to_string(dtype_of<std::remove_const_t<T>>()) + " (see ata_dtype)");
    }
    if (info_.data == nullptr && info_.size > 0) {
      throw Error(ATA_INVALID_ARGUMENT, "the tensor is in the memory of device '" + device() +
                                            "', where the host cannot read it; copy_to(\"cpu\") "
                                            "brings it");
    }
    return {static_cast<T*>(info_.data), info_.size / sizeof(T)};
  }

  detail::Handle<ata_tensor, ata_tensor_release> handle_;
  ata_tensor_info info_{};
};

/// A set of named tensors with string metadata: a safetensors file.
class TensorFile {
 public:
  /// An empty set, to be filled and saved.
  TensorFile() : handle_(detail::make<ata_tensor_file>(ata_tensor_file_create)) {}

  /// Opens a safetensors file; see ata_tensor_file_open().
  static TensorFile open(const std::string& path) {
    return TensorFile(detail::make<ata_tensor_file>(
        [&](ata_tensor_file** out) { return ata_tensor_file_open(path.c_str(), out); }));
  }

  /// Names of the tensors, in the order of the file.
  std::vector<std::string> names() const {
    std::vector<std::string> result(ata_tensor_file_count(handle_.get()));
    for (size_t i = 0; i < result.size(); ++i) {
      const char* name = nullptr;
      detail::check(ata_tensor_file_get_name(handle_.get(), i, &name));
      result[i] = name;
    }
    return result;
  }

  /// Reads one tensor.
  Tensor read(const std::string& name) const {
    return Tensor(detail::make<ata_tensor>(
        [&](ata_tensor** out) { return ata_tensor_file_get(handle_.get(), name.c_str(), out); }));
  }

  /// Adds or replaces a tensor. Memory that it wraps must live until the set is saved or destroyed.
  void set(const std::string& name, const Tensor& tensor) {
    detail::check(ata_tensor_file_set(handle_.get(), name.c_str(), tensor.get()));
  }

  /// A metadata string, if there is one under `key`.
  std::optional<std::string> metadata(const std::string& key) const {
    const char* value = nullptr;
    detail::check(ata_tensor_file_get_metadata(handle_.get(), key.c_str(), &value));
    return value ? std::optional<std::string>(value) : std::nullopt;
  }

  /// Sets a metadata string, in place of one under the same `key`.
  void set_metadata(const std::string& key, const std::string& value) {
    detail::check(ata_tensor_file_set_metadata(handle_.get(), key.c_str(), value.c_str()));
  }

  /// Writes the set; `path` is never half-written.
  void save(const std::string& path) const {
    detail::check(ata_tensor_file_save(handle_.get(), path.c_str()));
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_tensor_file* get() const noexcept { return handle_.get(); }

 private:
  explicit TensorFile(ata_tensor_file* handle) : handle_(handle) {}

  detail::Handle<ata_tensor_file, ata_tensor_file_release> handle_;
};

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_TENSOR_HPP_
