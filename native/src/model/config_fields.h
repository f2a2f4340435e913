#ifndef ATA_MODEL_CONFIG_FIELDS_H_
#define ATA_MODEL_CONFIG_FIELDS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace ata {

/// "'a', 'b' and 'c'".
std::string quoted_list(std::span<const char* const> names);

/// The shortest decimal that reads back as the same float: 0.45, not 0.44999998807907104.
double shortest_decimal(float value);

/// Parses the JSON object of a model configuration. Failures are of `status`, and `origin` (a path)
/// begins their messages.
nlohmann::json parse_config(const std::string& text, ata_status status, const std::string& origin);

/// Reads the members of one configuration, naming what is wrong with each. Its parts, the frame and
/// the backbone, read one after another, and then nothing must be left.
class ConfigFields {
 public:
  /// Failures are of `status`. Keeps references.
  ConfigFields(const nlohmann::json& json, ata_status status, const std::string& origin)
      : json_(json), status_(status), origin_(origin) {}

  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(status_, origin_, ": the model configuration ", args...);
  }

  bool has(const char* name) { return find(name) != nullptr; }
  void required(const char* name, int32_t* value);
  void optional(const char* name, int32_t* value);
  void optional(const char* name, float* value);
  void optional_channels(const char* name, float (&channels)[3]);
  void optional(const char* name, std::vector<std::string>* values);

  /// The index of the member among `names`; required.
  int32_t choice(const char* name, std::span<const char* const> names);

  /// A misspelt optional field, or one of a later version, says how to compute.
  void check_unknown() const;

 private:
  const nlohmann::json* find(const char* name);
  float real(const char* name, const nlohmann::json& value) const;

  const nlohmann::json& json_;
  ata_status status_;
  const std::string& origin_;
  std::set<std::string> known_;
};

/// Checks values of a configuration, which may come from a file or a caller.
class ConfigCheck {
 public:
  /// Failures are of `status`, and `origin` begins their messages. Keeps the reference.
  ConfigCheck(ata_status status, const std::string& origin) : status_(status), origin_(origin) {}

  template <typename... Args>
  void require(bool condition, const Args&... args) const {
    if (!condition) fail(status_, origin_, ": ", args...);
  }
  void range(const char* name, int32_t value, int32_t largest) const {
    require(value >= 1 && value <= largest, name, " is ", value, "; it must be 1 to ", largest);
  }

 private:
  ata_status status_;
  const std::string& origin_;
};

}  // namespace ata

#endif  // ATA_MODEL_CONFIG_FIELDS_H_
