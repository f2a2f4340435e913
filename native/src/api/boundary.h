#ifndef ATA_API_BOUNDARY_H_
#define ATA_API_BOUNDARY_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "backend/device.h"
#include "base/error.h"
#include "base/file.h"
#include "base/float_environment.h"
#include "tensor/tensor.h"

// The handles of ata.h. Each wraps one C++ object of the core.

struct ata_tensor {
  ata::Tensor tensor;
  /// Name of the device, as ata_tensor_info reports it.
  const char* device = nullptr;
  /// As ata_tensor_info reports them.
  std::array<int64_t, ATA_MAX_RANK> strides = {};
  bool read_only = false;
};

struct ata_cancellation {
  std::shared_ptr<std::atomic<bool>> flag;
};

namespace ata::api {

/// Stores the calling thread's message for ata_last_error(), made printable (base/text.h). Never
/// throws and never allocates; what does not fit is cut off.
void set_last_error(const char* message) noexcept;

/// Runs `body` in the default floating-point environment, whatever the caller's is, and turns what
/// it throws into a status and the thread's message: the one place where exceptions end.
template <typename Body>
ata_status guard(Body&& body) noexcept {
  const DefaultFloatEnvironment environment;
  try {
    body();
    return ATA_OK;
  } catch (const Error& error) {
    set_last_error(error.what());
    return error.status();
  } catch (const std::bad_alloc&) {
    set_last_error("out of memory");
    return ATA_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    set_last_error(error.what());
    return ATA_INTERNAL;
  } catch (...) {
    set_last_error("an unknown exception reached the C boundary");
    return ATA_INTERNAL;
  }
}

/// Throws ATA_INVALID_ARGUMENT naming the parameter when `pointer` is null.
inline void require_pointer(const void* pointer, const char* name) {
  require(pointer != nullptr, name, " is NULL");
}

/// Throws ATA_INVALID_ARGUMENT unless `value` is one of 0..last: enums come from outside.
inline void require_enum(int32_t value, int32_t last, const char* name) {
  require(value >= 0 && value <= last, name, " is ", value, "; valid values are 0 to ", last);
}

/// A limit of threads as callers give it, for ThreadLimit; 0 is none. Throws ATA_INVALID_ARGUMENT
/// naming the field when it is negative or above ATA_MAX_THREADS.
inline int thread_limit(int32_t threads, const char* name) {
  require(threads >= 0 && threads <= ATA_MAX_THREADS, name, " is ", threads, "; ask for 1 to ",
          ATA_MAX_THREADS, " threads, or 0 for no limit");
  return threads;
}

// Structs that begin with `struct_size` and have grown, or will: the caller's header may be older
// or newer than this library. The functions below are the one place that knows how.

/// How many bytes of a struct both sides know, when it has `struct_size` bytes for the caller and
/// `known` here. Throws ATA_INVALID_ARGUMENT for a size that no version of `type` has: one without
/// a field, one that ends within a field, one beyond all reason.
size_t shared_size(size_t struct_size, size_t known, const char* type);

/// The same for a struct of the caller's. If it is longer than here, throws unless what lies beyond
/// is zero: a newer caller sets something that this library cannot heed.
size_t shared_size_of(const void* given, size_t known, const char* type);

/// Copies the fields within the first `size` bytes, and not the padding between them, which would
/// carry whatever was on this library's stack to the caller.
void copy_fields(const void* from, size_t size, void* to, const char* type);

/// What the caller says, and the defaults of the fields that an older caller does not have.
template <typename Struct>
Struct read_struct(const Struct* given, const Struct& defaults, const char* type) {
  require_pointer(given, type);
  Struct result = defaults;
  std::memcpy(&result, given, shared_size_of(given, sizeof(Struct), type));
  result.struct_size = sizeof(Struct);
  return result;
}

/// The same of `count` structs one after another, all of the caller's size.
template <typename Struct>
std::vector<Struct> read_structs(const Struct* given, size_t count, const Struct& defaults,
                                 const char* type) {
  require_pointer(given, type);
  size_t step = 0;
  std::memcpy(&step, given, sizeof(step));
  shared_size(step, sizeof(Struct), type);
  std::vector<Struct> result;
  for (size_t i = 0; i < count; ++i) {
    const auto* element = reinterpret_cast<const unsigned char*>(given) + i * step;
    size_t struct_size = 0;
    std::memcpy(&struct_size, element, sizeof(struct_size));
    require(struct_size == step, type, ".struct_size is ", struct_size, " at index ", i, " and ",
            step, " at index 0; all elements of an array have the size of the first");
    result.push_back(read_struct(reinterpret_cast<const Struct*>(element), defaults, type));
  }
  return result;
}

/// The same as read_struct(), or the defaults for NULL.
template <typename Options>
Options options_or_default(const Options* options, const Options& defaults, const char* type) {
  return options == nullptr ? defaults : read_struct(options, defaults, type);
}

/// Writes as much of a result as the caller's struct has room for; its `struct_size` stays.
template <typename Struct>
void write_struct(const Struct& values, Struct* to, const char* type) {
  const size_t shared = shared_size_of(to, sizeof(Struct), type);
  Struct result = values;
  result.struct_size = to->struct_size;
  copy_fields(&result, shared, to, type);
}

/// Fills a struct of `struct_size` bytes, whatever it holds: with the defaults as far as both sides
/// know it, with zeros beyond.
template <typename Struct>
void init_struct(Struct* to, size_t struct_size, const Struct& defaults, const char* type) {
  require_pointer(to, type);
  const size_t shared = shared_size(struct_size, sizeof(Struct), type);
  Struct result = defaults;
  result.struct_size = struct_size;
  std::memset(static_cast<void*>(to), 0, struct_size);
  copy_fields(&result, shared, to, type);
}

/// The body of an options struct's `_init` function.
template <typename Options>
ata_status init_options(Options* options, size_t struct_size, const Options& defaults,
                        const char* type) noexcept {
  return guard([&] { init_struct(options, struct_size, defaults, type); });
}

inline const std::atomic<bool>* flag_of(const ata_cancellation* cancellation) {
  return cancellation ? cancellation->flag.get() : nullptr;
}

/// The device of that name; "cpu" for null. Throws as device_by_name().
Device& device_named(const char* name);

/// The tensor, for an operation on `device`, which brings it there from the host's memory. Throws
/// ATA_INVALID_ARGUMENT when it is in the memory of a third device.
const Tensor& tensor_for(const Device& device, const ata_tensor* tensor, const char* name);

/// The tensor, for what reads it on the host. Throws ATA_INVALID_ARGUMENT when it is elsewhere.
const Tensor& host_tensor(const ata_tensor* tensor, const char* name);

/// A small tensor of the host's or of `device`, in the host's memory.
Tensor brought_to_host(const Device& device, const ata_tensor* tensor, const char* name);

/// The distances in elements from one index of an axis to the next, row-major without gaps.
std::array<int64_t, ATA_MAX_RANK> row_major_strides(const Shape& shape);

std::unique_ptr<ata_tensor> make_handle(Tensor tensor, bool read_only = false);

/// Memory that a caller lends. Once `release` is set, which is when nothing can fail any more, the
/// lender's function is called when the loan ends.
struct Loan {
  ata_release_callback release = nullptr;
  void* user_data = nullptr;

  Loan() = default;
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    if (release != nullptr) release(user_data);
  }
};

/// A file that the caller has in memory, kept by `owner` (null: by the caller). A NULL or empty
/// `name` is none.
std::shared_ptr<const InputFile> file_in_memory(const void* data, size_t size, const char* name,
                                                std::shared_ptr<const void> owner);

/// A handle over memory that was lent. When nothing refers to it any more `release(user_data)` is
/// called, once; never if this throws. What `what` names must be row-major (`strides` null, or of
/// the shape), aligned, and there; on `device`, or in the host's memory.
std::unique_ptr<ata_tensor> wrap_foreign(void* data, DType dtype, const Shape& shape,
                                         const int64_t* strides, bool read_only,
                                         ata_release_callback release, void* user_data,
                                         const char* what, Device* device = nullptr);

}  // namespace ata::api

#endif  // ATA_API_BOUNDARY_H_
