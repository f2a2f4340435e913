#include "base/plugin_loader.h"

#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#if defined(__GLIBC__)
#include <limits.h>
#include <link.h>
#endif
#endif

namespace ata {
namespace {

namespace fs = std::filesystem;

#if defined(_WIN32)

std::string system_error_text() {
  const DWORD code = GetLastError();
  return concat(std::system_category().message(static_cast<int>(code)), " (error ", code, ")");
}

/// Directory of the module that contains this code; empty if the system does not tell.
fs::path own_directory() {
  HMODULE module = nullptr;
  if (!GetModuleHandleExW(
          GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
          reinterpret_cast<LPCWSTR>(&load_plugin), &module)) {
    return {};
  }
  std::wstring buffer(32768, L'\0');
  const DWORD length = GetModuleFileNameW(module, buffer.data(), static_cast<DWORD>(buffer.size()));
  buffer.resize(length);
  return fs::path(buffer).parent_path();
}

void* open_library(const std::string& path, std::string& error) {
  const fs::path file = native_path(path);
  // With an absolute path the plugin's own dependencies are looked for beside it as well. A bare
  // name is not looked for in the current directory, as it would be by default.
  HMODULE module = LoadLibraryExW(
      file.c_str(), nullptr,
      file.is_absolute() ? LOAD_WITH_ALTERED_SEARCH_PATH : LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
  if (!module) error = system_error_text();
  return module;
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

#else

/// As above. A file that was loaded by a relative path is not looked up again: the current
/// directory may be another one by now.
fs::path own_directory() {
  Dl_info info = {};
#if defined(__GLIBC__)
  link_map* map = nullptr;
  if (dladdr1(reinterpret_cast<void*>(&load_plugin), &info, reinterpret_cast<void**>(&map),
              RTLD_DL_LINKMAP) == 0 ||
      !map) {
    return {};
  }
  if (map->l_name[0] == '\0') {  // the program itself
    std::error_code code;
    return fs::read_symlink("/proc/self/exe", code).parent_path();
  }
  char origin[PATH_MAX];
  return dlinfo(map, RTLD_DI_ORIGIN, origin) == 0 ? fs::path(origin) : fs::path();
#else
  if (dladdr(reinterpret_cast<void*>(&load_plugin), &info) == 0 || !info.dli_fname) return {};
  const fs::path file = info.dli_fname;
  return file.is_absolute() ? file.parent_path() : fs::path();
#endif
}

void* open_library(const std::string& path, std::string& error) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* text = dlerror();
    error = text ? text : "unknown reason";
  }
  return library;
}

void* find_symbol(void* library, const char* name) {
  return dlsym(library, name);
}

#endif

bool host_log_enabled(ata_log_level level) {
  return log_enabled(level);
}

void host_log(ata_log_level level, const char* message) {
  log(level, message);
}

constexpr PluginHost kHost = {host_log_enabled, host_log};

/// Loads and checks one file. Returns its table, or null with the reason in `error`. A file that is
/// refused stays loaded: it may have started threads.
const PluginHeader* try_load(const std::string& path, const char* entry, uint32_t api_version,
                             std::string& error) {
  void* library = open_library(path, error);
  if (!library) return nullptr;
  const auto function = reinterpret_cast<PluginEntry>(find_symbol(library, entry));
  if (!function) {
    error = concat("it does not export ", entry, "()");
    return nullptr;
  }
  const PluginHeader* table = function(&kHost);
  if (!table) {
    error = concat(entry, "() refused to start");
    return nullptr;
  }
  if (table->api_version != api_version || std::string(table->ata_version) != build_version()) {
    error = concat("it belongs to Ata ", table->ata_version, " (interface ", table->api_version,
                   "), not ", build_version(), " (interface ", api_version,
                   "); install both from the same release");
    return nullptr;
  }
  return table;
}

PluginLoad load_first(const std::vector<std::string>& candidates, const char* entry,
                      uint32_t api_version) {
  PluginLoad result;
  for (const std::string& candidate : candidates) {
    std::string error;
    result.table = try_load(candidate, entry, api_version, error);
    if (result.table) {
      result.path = candidate;
      log(ATA_LOG_DEBUG, concat("loaded plugin '", candidate, "'"));
      break;
    }
    result.attempts.push_back({candidate, error});
  }
  return result;
}

}  // namespace

const char* build_version() {
  return ATA_VERSION;
}

std::string plugin_file_name(const std::string& name) {
#if defined(_WIN32)
  return concat(name, ".dll");
#elif defined(__APPLE__)
  return concat("lib", name, ".", ATA_VERSION_MAJOR, ".dylib");
#else
  return concat("lib", name, ".so.", ATA_VERSION_MAJOR);
#endif
}

std::string PluginLoad::refused_file() const {
  std::error_code code;
  for (const PluginAttempt& attempt : attempts) {
    const fs::path file = native_path(attempt.path);
    if (file.is_absolute() && fs::exists(file, code)) return attempt.path;
  }
  return {};
}

std::string PluginLoad::reason() const {
  if (table || attempts.empty()) return {};
  const std::string refused = refused_file();
  for (const PluginAttempt& attempt : attempts) {
    if (attempt.path == refused) return attempt.error;
  }
  return attempts.back().error;
}

PluginLoad load_plugin(const std::string& name, const char* entry, uint32_t api_version) {
  std::vector<std::string> candidates;
  const std::string file = plugin_file_name(name);
  if (const fs::path directory = own_directory(); !directory.empty()) {
    candidates.push_back(utf8_path(directory / native_path(file)));
  }
  candidates.push_back(file);
  return load_first(candidates, entry, api_version);
}

PluginLoad load_plugin_file(const std::string& path, const char* entry, uint32_t api_version) {
  return load_first({path}, entry, api_version);
}

void install_plugin_host(const PluginHost* host) {
  set_log_sink(
      [](ata_log_level level, const char* message, void* context) {
        const auto* target = static_cast<const PluginHost*>(context);
        if (target->log_enabled(level)) target->log(level, message);
      },
      const_cast<PluginHost*>(host), ATA_LOG_DEBUG);
}

}  // namespace ata
