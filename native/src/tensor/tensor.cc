#include "tensor/tensor.h"

#include <atomic>
#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "base/text.h"

namespace ata {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

// Large blocks are asked for in huge pages: a training step reads through gigabytes, and with small
// pages spends a tenth of its time on finding out where they are.
bool wants_huge_pages([[maybe_unused]] size_t bytes) {
#if defined(MADV_HUGEPAGE)
  return bytes >= 2 * kHugePage;
#else
  return false;
#endif
}

std::align_val_t alignment_of(size_t bytes) {
  return std::align_val_t{wants_huge_pages(bytes) ? kHugePage : kAlignment};
}

// A wish: without huge pages everything works, more slowly.
void ask_for_huge_pages([[maybe_unused]] void* block, [[maybe_unused]] size_t bytes) {
#if defined(MADV_HUGEPAGE)
  madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
}

std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> peak_bytes{0};

class HeapAllocator : public Allocator {
 public:
  void* allocate(size_t bytes) override {
    void* block = ::operator new(bytes, alignment_of(bytes), std::nothrow);
    if (!block) {
      fail(ATA_OUT_OF_MEMORY, "out of memory: a tensor of ", bytes, " bytes cannot be allocated");
    }
    if (wants_huge_pages(bytes)) ask_for_huge_pages(block, bytes);
    const int64_t live = live_bytes += static_cast<int64_t>(bytes);
    int64_t peak = peak_bytes.load(std::memory_order_relaxed);
    while (live > peak && !peak_bytes.compare_exchange_weak(peak, live)) {
    }
    return block;
  }
  void release(void* block, size_t bytes) noexcept override {
    ::operator delete(block, alignment_of(bytes));
    live_bytes -= static_cast<int64_t>(bytes);
  }
};

}  // namespace

size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
      return 2;
    case DType::kI64:
    case DType::kF64:
      return 8;
    case DType::kU8:
      return 1;
  }
  fail(ATA_INVALID_ARGUMENT, "unknown element type ", static_cast<int>(dtype));
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kBF16:
      return "bf16";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
    case DType::kU8:
      return "u8";
    case DType::kF64:
      return "f64";
  }
  return "unknown";
}

float to_float(BFloat16 value) {
  return std::bit_cast<float>(uint32_t{value.bits} << 16);
}

BFloat16 to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

Shape::Shape(std::span<const int64_t> dims) {
  require(dims.size() <= kMaxRank, "a tensor has at most ", int{kMaxRank}, " axes, not ",
          dims.size());
  rank_ = static_cast<int>(dims.size());
  int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) {
    const int64_t extent = dims[static_cast<size_t>(axis)];
    require(extent >= 0, "axis ", axis, " of a shape is negative: ", extent);
    dims_[axis] = extent;
    // Element sizes are at most 8 bytes, so that byte sizes do not overflow either.
    require(extent == 0 || count <= std::numeric_limits<int64_t>::max() / 8 / extent,
            "a tensor of shape ", to_string(), " is too large");
    count *= extent;
  }
}

int64_t Shape::count() const {
  int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= dims_[axis];
  return count;
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int axis = 0; axis < rank_; ++axis) {
    if (dims_[axis] != other.dims_[axis]) return false;
  }
  return true;
}

std::string Shape::to_string() const {
  return dims_to_string(dims());
}

std::shared_ptr<Allocator> heap_allocator() {
  static const std::shared_ptr<Allocator> instance = std::make_shared<HeapAllocator>();
  return instance;
}

MemoryStatistics memory_statistics() {
  return {live_bytes.load(), peak_bytes.load()};
}

Tensor::Tensor(Shape shape, DType dtype, const std::shared_ptr<Allocator>& allocator)
    : shape_(shape), dtype_(dtype) {
  const size_t size = bytes();
  data_ = allocator->allocate(size);
  if (allocator->device() != nullptr) memory_ = allocator.get();
  storage_ = std::shared_ptr<void>(
      data_, [allocator, size](void* block) { allocator->release(block, size); });
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  Tensor tensor(shape, dtype);
  std::memset(tensor.raw(), 0, tensor.bytes());
  return tensor;
}

Tensor Tensor::wrap(void* data, Shape shape, DType dtype, std::shared_ptr<void> keep_alive,
                    const Allocator* memory) {
  Tensor tensor;
  tensor.memory_ = memory;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.data_ = data;
  // Defined even over null memory (an empty tensor) and without an owner.
  tensor.storage_ = std::shared_ptr<void>(std::move(keep_alive), data ? data : &live_bytes);
  return tensor;
}

Tensor Tensor::reshape(Shape shape) const {
  if (shape.count() != count()) {
    fail(ATA_INTERNAL, "a tensor of shape ", shape_.to_string(), " cannot take shape ",
         shape.to_string());
  }
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::slice(int64_t begin, int64_t end) const {
  if (rank() == 0 || begin < 0 || end < begin || end > dim(0)) {
    fail(ATA_INTERNAL, "rows ", begin, " to ", end, " of a tensor of shape ", shape_.to_string());
  }
  int64_t dims[Shape::kMaxRank] = {};
  for (int axis = 0; axis < rank(); ++axis) dims[axis] = shape_[axis];
  const int64_t row = dims[0] > 0 ? count() / dims[0] : 0;
  dims[0] = end - begin;
  Tensor view = *this;
  view.shape_ = Shape(std::span<const int64_t>(dims, static_cast<size_t>(rank())));
  view.data_ = static_cast<char*>(data_) + static_cast<size_t>(begin * row) * dtype_size(dtype_);
  return view;
}

Tensor Tensor::clone(Place caller) const {
  Tensor copy(shape_, dtype_);
  std::memcpy(copy.raw(), raw(caller), bytes());
  return copy;
}

void Tensor::fail_unreadable(const Place& caller) const {
  fail(ATA_INTERNAL, "a tensor of shape ", shape_.to_string(),
       " in a device's memory is read on the host, at ", caller.file_name(), ":", caller.line());
}

bool all_finite(const Tensor& tensor) {
  // An exponent of all ones marks both; without a branch the compiler vectorises this.
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;
  for (float value : tensor.values<float>()) {
    found |= (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1u : 0u;
  }
  return found == 0;
}

}  // namespace ata
