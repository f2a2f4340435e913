/// @file library.hpp
/// Part of ata.hpp: errors, options, devices, logging, threads, cancellation.
#ifndef ATA_LIBRARY_HPP_
#define ATA_LIBRARY_HPP_

// Before anything that older compilers would stumble over.
#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error \
    "ata.hpp needs C++20: compile with -std=c++20, or link Ata::cpp with CMake. ata.h needs C99 or C++11."
#endif

#include <ata/ata.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// A failure that the library reported.
class Error : public std::runtime_error {
 public:
  /// A failure of that kind, described by one line of UTF-8.
  Error(ata_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}

  /// What kind of failure it is. what() says which thing is wrong and how to remedy it.
  ata_status status() const noexcept { return status_; }

 private:
  ata_status status_;
};

namespace detail {

inline void check(ata_status status) {
  if (status != ATA_OK) throw Error(status, ata_last_error());
}

template <auto Release>
struct Releaser {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Release(handle);
  }
};

template <typename T, auto Release>
using Handle = std::unique_ptr<T, Releaser<Release>>;

/// Calls `create(&raw)` and takes ownership of what it makes.
template <typename T, typename Create>
T* make(Create&& create) {
  T* raw = nullptr;
  check(create(&raw));
  return raw;
}

inline ata_status init(ata_alignment_options* options) {
  return ata_alignment_options_init(options, sizeof(*options));
}
inline ata_status init(ata_assign_options* options) {
  return ata_assign_options_init(options, sizeof(*options));
}
inline ata_status init(ata_mi_options* options) {
  return ata_mi_options_init(options, sizeof(*options));
}
inline ata_status init(ata_model_options* options) {
  return ata_model_options_init(options, sizeof(*options));
}
inline ata_status init(ata_import_options* options) {
  return ata_import_options_init(options, sizeof(*options));
}
inline ata_status init(ata_session_options* options) {
  return ata_session_options_init(options, sizeof(*options));
}
inline ata_status init(ata_session_outputs* outputs) {
  return ata_session_outputs_init(outputs, sizeof(*outputs));
}
inline ata_status init(ata_temporal_block_options* options) {
  return ata_temporal_block_options_init(options, sizeof(*options));
}
inline ata_status init(ata_train_options* options) {
  return ata_train_options_init(options, sizeof(*options));
}
inline ata_status init(ata_video_options* options) {
  return ata_video_options_init(options, sizeof(*options));
}
inline ata_status init(ata_clip_options* options) {
  return ata_clip_options_init(options, sizeof(*options));
}
inline ata_status init(ata_frame_layout* layout) {
  return ata_frame_layout_init(layout, sizeof(*layout));
}

}  // namespace detail

/// An options struct of ata.h with the library's defaults: `auto o =
/// ata::defaults<ata_clip_options>();`.
template <typename Options>
Options defaults() {
  Options options;
  detail::check(detail::init(&options));
  return options;
}

/// The version of the library that is loaded, "major.minor.patch".
inline std::string version() {
  return ata_version();
}

/// Throws Error(ATA_LIBRARY_UNAVAILABLE) if the library that is loaded has another binary interface
/// than the header the program was compiled with. Worth calling once at start-up.
inline void require_matching_library() {
  if (ata_abi_version() != ATA_ABI_VERSION) {
    throw Error(ATA_LIBRARY_UNAVAILABLE,
                "this program was compiled for binary interface " +
                    std::to_string(ATA_ABI_VERSION) + " of libata, but libata " + version() +
                    " has interface " + std::to_string(ata_abi_version()) +
                    "; compile the program against the headers of the library that it loads");
  }
}

/// How many threads one operation uses. Thread-safe.
inline int thread_count() {
  return ata_thread_count();
}

/// Sets how many threads one operation uses; 0 for the number of available cores. Thread-safe.
inline void set_thread_count(int count) {
  detail::check(ata_thread_set_count(count));
}

/// Gives back what the library keeps between calls; see ata_release_caches(). Thread-safe.
inline void release_caches() noexcept {
  ata_release_caches();
}

/// Describes the installation as JSON; see ata_runtime_diagnose(). Thread-safe.
inline std::string diagnose() {
  std::string json;
  for (;;) {
    size_t length = 0;
    detail::check(ata_runtime_diagnose(json.data(), json.empty() ? 0 : json.size() + 1, &length));
    if (length <= json.size()) {
      json.resize(length);
      return json;
    }
    json.resize(length);
  }
}

/// A device, or a kind of device that cannot be used; see ata_device_info.
struct DeviceInfo {
  std::string name;         ///< What it is asked for by.
  std::string description;  ///< What it is; empty if it cannot be used.
  std::string driver;       ///< Version of its driver; empty if it needs none.
  std::string libraries;    ///< Versions of the libraries it computes with; may be empty.
  std::string reason;       ///< Why it cannot be used; empty if it can.
  int64_t total_bytes;      ///< Its memory, whoever uses it; -1 where the system does not tell.
  int64_t free_bytes;       ///< What of it is free; -1 where the system does not tell.
  int64_t live_bytes;       ///< What tensors of this process hold.
  int64_t peak_bytes;       ///< The most that they ever held.
  bool available;           ///< Whether it can be used.
};

/// The devices of this machine, the CPU first; see ata_device_get_info(). Thread-safe.
inline std::vector<DeviceInfo> devices() {
  const auto text = [](const char* given) { return std::string(given ? given : ""); };
  std::vector<DeviceInfo> result;
  for (size_t i = 0; i < ata_device_count(); ++i) {
    ata_device_info info = {};
    info.struct_size = sizeof info;
    detail::check(ata_device_get_info(i, &info));
    result.push_back({text(info.name), text(info.description), text(info.driver),
                      text(info.libraries), text(info.reason), info.total_bytes, info.free_bytes,
                      info.live_bytes, info.peak_bytes, info.available != 0});
  }
  return result;
}

/// Receives log messages; see ::ata_log_callback. An exception that it throws is dropped.
using LogHandler = std::function<void(ata_log_level level, const char* message)>;

/// Installs the process-wide receiver of log messages; an empty one for none. When it returns, the
/// previous receiver is no longer being called. Thread-safe.
inline void set_log_handler(LogHandler handler, ata_log_level minimum = ATA_LOG_INFO) {
  // The handler in force is deliberately not destroyed at exit: other threads may still log.
  static std::mutex mutex;
  static LogHandler* current = nullptr;
  std::lock_guard lock(mutex);
  auto next = handler ? std::make_unique<LogHandler>(std::move(handler)) : nullptr;
  const ata_log_callback callback = [](ata_log_level level, const char* message, void* user_data) {
    try {
      (*static_cast<LogHandler*>(user_data))(level, message);
    } catch (...) {
    }
  };
  detail::check(ata_log_set_callback(next ? callback : nullptr, next.get(), minimum));
  delete std::exchange(current, next.release());
}

/// A flag by which one thread stops the work of another. Thread-safe.
class Cancellation {
 public:
  /// A flag that is not set.
  Cancellation() : handle_(detail::make<ata_cancellation>(ata_cancellation_create)) {}

  /// Sets the flag: calls that were given it throw Error(ATA_CANCELLED) soon.
  void cancel() noexcept { ata_cancellation_cancel(handle_.get()); }

  /// The handle, for functions of the C API; it stays this object's.
  ata_cancellation* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_cancellation, ata_cancellation_release> handle_;
};

namespace detail {

inline const ata_cancellation* raw(const Cancellation* cancellation) {
  return cancellation ? cancellation->get() : nullptr;
}

}  // namespace detail

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_LIBRARY_HPP_
