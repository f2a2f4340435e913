#ifndef ATA_API_BOUNDARY_H_
#define ATA_API_BOUNDARY_H_

#include <algorithm>
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>

#include "ata/ata.h"
#include "base/error.h"
#include "tensor/tensor.h"

// The handles of ata.h. Each wraps one C++ object of the core.

struct ata_tensor {
  ata::Tensor tensor;
};

struct ata_cancellation {
  std::shared_ptr<std::atomic<bool>> flag;
};

namespace ata::api {

/// Stores the calling thread's message for ata_last_error(), made printable (base/text.h). Never
/// throws and never allocates; what does not fit is cut off.
void set_last_error(const char* message) noexcept;

/// Runs `body` and turns whatever it throws into a status and the thread's message: the one place
/// where exceptions end.
template <typename Body>
ata_status guard(Body&& body) noexcept {
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

/// The caller's options, or the defaults for NULL. Throws when `struct_size` is not this library's.
template <typename Options>
Options options_or_default(const Options* options, ata_status (*init)(Options*) noexcept,
                           const char* type) {
  Options result;
  init(&result);
  if (options == nullptr) return result;
  require(options->struct_size == sizeof(Options), type, ".struct_size is ", options->struct_size,
          ", not ", sizeof(Options), "; fill the struct with ", type, "_init() and build against ",
          "the header of the library that is loaded");
  return *options;
}

/// Copies a `_init` function's defaults to the caller.
template <typename Options>
ata_status init_options(Options* options, const Options& defaults, const char* type) noexcept {
  return guard([&] {
    require_pointer(options, type);
    *options = defaults;
    options->struct_size = sizeof(Options);
  });
}

inline const std::atomic<bool>* flag_of(const ata_cancellation* cancellation) {
  return cancellation ? cancellation->flag.get() : nullptr;
}

inline std::unique_ptr<ata_tensor> make_handle(Tensor tensor) {
  return std::unique_ptr<ata_tensor>(new ata_tensor{std::move(tensor)});
}

}  // namespace ata::api

#endif  // ATA_API_BOUNDARY_H_
