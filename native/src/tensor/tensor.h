#ifndef ATA_TENSOR_TENSOR_H_
#define ATA_TENSOR_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>

#include "ata/ata.h"
#include "base/error.h"

namespace ata {

class Device;  // backend/device.h

enum class DType : int32_t {
  kF32 = ATA_F32,
  kBF16 = ATA_BF16,
  kI32 = ATA_I32,
  kI64 = ATA_I64,
  kU8 = ATA_U8,
  /// Sums and prices inside the library; the C API has no such tensors.
  kF64 = 100,
};

size_t dtype_size(DType dtype);
/// "f32", "bf16", ...
const char* dtype_name(DType dtype);

/// bfloat16: the upper half of an IEEE single.
struct BFloat16 {
  uint16_t bits;
};
float to_float(BFloat16 value);
/// Rounds to nearest even; NaN stays NaN.
BFloat16 to_bfloat16(float value);

/// Up to eight non-negative extents, row-major.
class Shape {
 public:
  static constexpr int kMaxRank = 8;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  /// Throws ATA_INVALID_ARGUMENT on a rank above kMaxRank, a negative extent or an overflowing
  /// element count.
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[axis]; }
  std::span<const int64_t> dims() const { return {dims_, static_cast<size_t>(rank_)}; }
  /// Product of the extents; 1 for rank 0.
  int64_t count() const;
  bool operator==(const Shape& other) const;
  /// "[2, 3, 4]".
  std::string to_string() const;

 private:
  int64_t dims_[kMaxRank] = {};
  int rank_ = 0;
};

/// Where memory comes from. Implementations are thread-safe. Blocks are 64-byte aligned on the CPU.
class Allocator {
 public:
  virtual ~Allocator() = default;
  /// Throws ATA_OUT_OF_MEMORY naming the size.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* block, size_t bytes) noexcept = 0;
  /// Says that a pass of a model begins, to allocators that keep blocks from one to the next.
  virtual void begin_pass() {}
  /// Whose memory it is; null for the host's heap.
  virtual Device* device() const { return nullptr; }
  /// Whether the host's code may follow pointers into it now.
  virtual bool is_readable() const { return true; }
};

/// The system heap; 64-byte aligned. Counts live and peak bytes (see memory_statistics).
std::shared_ptr<Allocator> heap_allocator();

struct MemoryStatistics {
  int64_t live_bytes;
  int64_t peak_bytes;
};
/// Bytes that tensors hold through heap_allocator(), now and at most since the process began.
MemoryStatistics memory_statistics();

/// An allocator that keeps released blocks and hands them out again, so that a session's second run
/// allocates nothing, nor do runs on batches whose sizes alternate. A block serves what needs at
/// least half of it. When a pass begins, the blocks that were not used for longest go back to
/// `upstream` until what is held is at most twice what any of the last passes used; all free ones
/// go when `upstream` has no memory left. One per session.
std::shared_ptr<Allocator> make_workspace(std::shared_ptr<Allocator> upstream);
/// The same, but it gives nothing back as long as it lives: for recorded work, which uses its
/// blocks whenever it is repeated.
std::shared_ptr<Allocator> make_lasting_workspace(std::shared_ptr<Allocator> upstream);

/// A contiguous row-major array in the memory of one device. Copies share memory (like shared_ptr);
/// `clone` copies it. An empty Tensor (default-constructed) stands for "absent" where an argument
/// is optional.
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised memory.
  Tensor(Shape shape, DType dtype, const std::shared_ptr<Allocator>& allocator = heap_allocator());

  /// In the host's memory.
  static Tensor zeros(Shape shape, DType dtype);
  /// A view of memory that `keep_alive` owns (may be null: the caller guarantees the lifetime).
  /// `memory`: of the device that it is on, which lives as long as the process; null: the host's.
  static Tensor wrap(void* data, Shape shape, DType dtype, std::shared_ptr<void> keep_alive,
                     const Allocator* memory = nullptr);

  bool defined() const { return storage_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const { return shape_; }
  int64_t dim(int axis) const { return shape_[axis < 0 ? axis + shape_.rank() : axis]; }
  int rank() const { return shape_.rank(); }
  int64_t count() const { return shape_.count(); }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return static_cast<size_t>(count()) * dtype_size(dtype_); }

  /// Null for the host's memory.
  Device* device() const { return memory_ ? memory_->device() : nullptr; }
  /// For a device's own copies; code that follows the pointer asks raw() or data() for it.
  void* address() { return data_; }
  const void* address() const { return data_; }

  // Access on the host; ATA_INTERNAL, naming the caller's line, for memory that the host cannot
  // read (ops/context.h has download()).
  using Place = std::source_location;
  void* raw(Place caller = Place::current()) {
    check_readable(caller);
    return data_;
  }
  const void* raw(Place caller = Place::current()) const {
    check_readable(caller);
    return data_;
  }
  /// Typed access; ATA_INTERNAL, too, if T is not the tensor's element type.
  template <typename T>
  T* data(Place caller = Place::current());
  template <typename T>
  const T* data(Place caller = Place::current()) const;
  template <typename T>
  std::span<const T> values(Place caller = Place::current()) const {
    return {data<T>(caller), static_cast<size_t>(count())};
  }

  /// The same memory under another shape of equal count.
  Tensor reshape(Shape shape) const;
  /// Rows [begin, end) of the first axis, sharing memory.
  Tensor slice(int64_t begin, int64_t end) const;
  /// A copy, of a tensor that the host can read, in the host's memory.
  Tensor clone(Place caller = Place::current()) const;

 private:
  void check_readable(const Place& caller) const {
    if (memory_ && !memory_->is_readable()) fail_unreadable(caller);
  }
  [[noreturn]] void fail_unreadable(const Place& caller) const;

  std::shared_ptr<void> storage_;
  /// Null for memory of the host; kept alive by `storage_`.
  const Allocator* memory_ = nullptr;
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::kF32;
};

/// Whether no element of an f32 tensor is a NaN or an infinity.
bool all_finite(const Tensor& tensor);

template <typename T>
constexpr DType dtype_of() {
  using U = std::remove_const_t<T>;
  if constexpr (std::is_same_v<U, float>)
    return DType::kF32;
  else if constexpr (std::is_same_v<U, BFloat16>)
    return DType::kBF16;
  else if constexpr (std::is_same_v<U, int32_t>)
    return DType::kI32;
  else if constexpr (std::is_same_v<U, int64_t>)
    return DType::kI64;
  else if constexpr (std::is_same_v<U, uint8_t>)
    return DType::kU8;
  else if constexpr (std::is_same_v<U, double>)
    return DType::kF64;
  else
    static_assert(!sizeof(U), "not an element type");
}

template <typename T>
const T* Tensor::data(Place caller) const {
  if (dtype_ != dtype_of<T>()) {
    fail(ATA_INTERNAL, "tensor of ", dtype_name(dtype_), " read as ", dtype_name(dtype_of<T>()));
  }
  check_readable(caller);
  return static_cast<const T*>(data_);
}

template <typename T>
T* Tensor::data(Place caller) {
  return const_cast<T*>(static_cast<const Tensor*>(this)->data<T>(caller));
}

}  // namespace ata

#endif  // ATA_TENSOR_TENSOR_H_
