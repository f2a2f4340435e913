#ifndef ATA_TENSOR_ALIGNED_BUFFER_H_
#define ATA_TENSOR_ALIGNED_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <memory>

#include "tensor/tensor.h"

namespace ata {

/// Scratch memory, aligned to 64 bytes, that only grows. Its content is lost when it grows.
template <typename T>
class AlignedBuffer {
 public:
  /// Makes room for at least `count` elements. Throws ATA_OUT_OF_MEMORY.
  void reserve(size_t count) {
    if (count <= capacity_) return;
    data_.reset();
    capacity_ = 0;
    const std::shared_ptr<Allocator> allocator = heap_allocator();
    const size_t bytes = count * sizeof(T);
    T* block = static_cast<T*>(allocator->allocate(bytes));
    data_ = {block, [allocator, bytes](T* memory) { allocator->release(memory, bytes); }};
    capacity_ = count;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](size_t index) { return data_.get()[index]; }
  const T& operator[](size_t index) const { return data_.get()[index]; }
  size_t capacity() const { return capacity_; }

 private:
  std::shared_ptr<T> data_;
  size_t capacity_ = 0;
};

}  // namespace ata

#endif  // ATA_TENSOR_ALIGNED_BUFFER_H_
