#include <nlohmann/json.hpp>

#include "api/boundary.h"
#include "api/devices.h"
#include "base/log.h"
#include "base/plugin_loader.h"
#include "base/text.h"
#include "base/threads.h"
#include "ops/cpu_info.h"
#include "ops/devices.h"
#include "video/video.h"

using ata::api::guard;
using ata::api::require_enum;
using ata::api::require_pointer;

namespace ata::api {
namespace {

// Truncated rather than lost when it does not fit: a longer message would need memory that may be
// just what has run out.
thread_local char last_error[8192] = "";

constexpr std::string_view kCut = "...";

}  // namespace

void set_last_error(const char* message) noexcept {
  size_t length = 0;
  // Whole pieces, so that the text does not end in the middle of a character.
  PrintablePieces pieces(message);
  for (auto piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    if (length + piece.size() + kCut.size() >= sizeof(last_error)) {
      piece = kCut;
      pieces = PrintablePieces({});
    }
    std::memcpy(last_error + length, piece.data(), piece.size());
    length += piece.size();
  }
  last_error[length] = '\0';
}

}  // namespace ata::api

const char* ata_last_error(void) noexcept {
  return ata::api::last_error;
}

const char* ata_version(void) noexcept {
  return ata::build_version();
}

uint32_t ata_abi_version(void) noexcept {
  return ATA_ABI_VERSION;
}

ata_status ata_log_set_callback(ata_log_callback callback, void* user_data,
                                ata_log_level minimum) noexcept {
  return guard([&] {
    require_enum(minimum, ATA_LOG_OFF, "minimum");
    ata::set_log_sink(callback, user_data, minimum);
  });
}

ata_status ata_thread_set_count(int32_t count) noexcept {
  return guard([&] {
    ata::require(count >= 0 && count <= ATA_MAX_THREADS, "count is ", count, "; ask for 1 to ",
                 ATA_MAX_THREADS, " threads, or 0 for the number of cores");
    ata::set_thread_count(count);
  });
}

int32_t ata_thread_count(void) noexcept {
  return ata::thread_count();
}

void ata_release_caches(void) noexcept {
  // It can only fail for lack of memory, and is called again if that matters.
  static_cast<void>(guard([] { ata::release_device_caches(); }));
}

ata_status ata_cancellation_create(ata_cancellation** cancellation) noexcept {
  return guard([&] {
    require_pointer(cancellation, "cancellation");
    *cancellation = new ata_cancellation{std::make_shared<std::atomic<bool>>(false)};
  });
}

void ata_cancellation_cancel(ata_cancellation* cancellation) noexcept {
  if (cancellation) cancellation->flag->store(true);
}

void ata_cancellation_release(ata_cancellation* cancellation) noexcept {
  delete cancellation;
}

namespace {

using Json = nlohmann::ordered_json;

Json attempts_as_json(const std::vector<ata::PluginAttempt>& attempts) {
  Json list = Json::array();
  for (const ata::PluginAttempt& attempt : attempts) {
    list.push_back({{"path", attempt.path}, {"error", attempt.error}});
  }
  return list;
}

Json devices_as_json() {
  Json list = Json::array();
  for (const ata::ListedDevice& listed : ata::list_devices()) {
    const ata_device_info info = ata::api::describe_device(listed);
    Json device = {{"name", info.name}, {"available", info.available != 0}};
    if (info.description != nullptr) device["description"] = info.description;
    if (info.driver != nullptr) device["driver"] = info.driver;
    if (info.libraries != nullptr) device["libraries"] = info.libraries;
    if (info.reason != nullptr) device["reason"] = info.reason;
    if (info.available != 0) {
      Json memory = {{"live_bytes", info.live_bytes}, {"peak_bytes", info.peak_bytes}};
      if (info.total_bytes >= 0) memory["total_bytes"] = info.total_bytes;
      if (info.free_bytes >= 0) memory["free_bytes"] = info.free_bytes;
      device["memory"] = std::move(memory);
    }
    list.push_back(std::move(device));
  }
  return list;
}

Json describe_video() {
  const ata::VideoSupport video = ata::video_support();
  Json library = {
      {"name", "ata_video"}, {"purpose", "video and image files"}, {"available", video.available}};
  if (video.available) {
    library["path"] = video.path;
    library["version"] = video.library_versions;
  } else {
    library["reason"] = video.reason;
  }
  library["attempts"] = attempts_as_json(video.attempts);
  return library;
}

Json describe_installation() {
  const ata::CpuInfo cpu = ata::cpu_info();
  const ata::MemoryStatistics memory = ata::memory_statistics();
  Json report;
  report["version"] = ata::build_version();
  report["abi_version"] = ATA_ABI_VERSION;
  report["threads"] = ata::thread_count();
  report["cpu"] = {{"vector_target", cpu.vector_target},
                   {"vector_targets", cpu.vector_targets},
                   {"onednn_isa", cpu.onednn_isa},
                   {"native_bf16", cpu.native_bf16}};
  report["devices"] = devices_as_json();
  report["libraries"] = Json::array({Json{{"name", "oneDNN"},
                                          {"purpose", "matrix products"},
                                          {"available", true},
                                          {"version", cpu.onednn_version}},
                                     Json{{"name", "Highway"},
                                          {"purpose", "vector code"},
                                          {"available", true},
                                          {"version", cpu.highway_version}},
                                     describe_video()});
  report["memory"] = {{"live_bytes", memory.live_bytes}, {"peak_bytes", memory.peak_bytes}};
  return report;
}

}  // namespace

ata_status ata_runtime_diagnose(char* buffer, size_t capacity, size_t* length) noexcept {
  return guard([&] {
    require_pointer(length, "length");
    if (capacity > 0) require_pointer(buffer, "buffer");
    // Loader messages are not always UTF-8; what is not is replaced.
    const std::string text =
        describe_installation().dump(2, ' ', false, Json::error_handler_t::replace);
    if (text.size() < capacity) std::memcpy(buffer, text.c_str(), text.size() + 1);
    *length = text.size();
  });
}
