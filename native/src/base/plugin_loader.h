#ifndef ATA_BASE_PLUGIN_LOADER_H_
#define ATA_BASE_PLUGIN_LOADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ata/ata.h"

namespace ata {

/// What libata lends a plugin. A plugin has its own copy of base/, so it must route its log here
/// (see install_plugin_host) instead of to a sink that nobody sets.
struct PluginHost {
  bool (*log_enabled)(ata_log_level level);
  void (*log)(ata_log_level level, const char* message);
};

/// First member of every plugin's table. Plugins share C++ types with libata, so only a plugin of
/// exactly the same version is accepted.
struct PluginHeader {
  uint32_t api_version;     ///< Version of the table's layout.
  const char* ata_version;  ///< Version of Ata that the plugin was built from.
};

/// The one function a plugin exports. Returns its table, which lives as long as the process.
using PluginEntry = const PluginHeader* (*)(const PluginHost* host);

/// The version of Ata that this copy of base/ was built from, "major.minor.patch".
const char* build_version();

/// A file that was tried and why it was refused.
struct PluginAttempt {
  std::string path;
  std::string error;
};

/// Outcome of load_plugin().
struct PluginLoad {
  const PluginHeader* table = nullptr;  ///< Null if no file could be used.
  std::string path;                     ///< The file that was loaded.
  std::vector<PluginAttempt> attempts;  ///< The files that were refused, in order.

  /// The first file that exists and was refused; empty if none of those tried exists.
  std::string refused_file() const;

  /// Why nothing was loaded: the refusal of a file that exists if there is one (it names the
  /// missing dependency), else that of the last file tried. Empty after success.
  std::string reason() const;
};

/// File name of a plugin, e.g. "libata_video.so.1" for "ata_video".
std::string plugin_file_name(const std::string& name);

/// Loads the plugin `name` ("ata_video"): first the file beside the library (or program) that
/// contains this code, then by the system's search; never the one in the current directory. The
/// file must export `entry` and report `api_version` and build_version(). A loaded plugin stays for
/// the life of the process, because its code may be on the stack of any thread. Thread-safe; never
/// throws except on lack of memory.
PluginLoad load_plugin(const std::string& name, const char* entry, uint32_t api_version);

/// The same for the file at an absolute path alone.
PluginLoad load_plugin_file(const std::string& path, const char* entry, uint32_t api_version);

/// For a plugin's entry function: sends this copy of base/log.h to the host's log. `host` lives as
/// long as the process.
void install_plugin_host(const PluginHost* host);

}  // namespace ata

#endif  // ATA_BASE_PLUGIN_LOADER_H_
