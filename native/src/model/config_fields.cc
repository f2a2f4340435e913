#include "model/config_fields.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace ata {
namespace {

// A value as it stands in the file, shortened.
std::string text_of(const nlohmann::json& value) {
  return shown(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

std::string quoted_list(std::span<const char* const> names) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    list += concat(i == 0 ? "" : i + 1 == names.size() ? " and " : ", ", "'", names[i], "'");
  }
  return list;
}

double shortest_decimal(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof(text), value);
  double result = 0;
  std::from_chars(text, written.ptr, result);
  return result;
}

nlohmann::json parse_config(const std::string& text, ata_status status, const std::string& origin) {
  std::set<std::string> keys;
  std::string field;
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth > 8) fail(status, origin, ": the model configuration is nested too deeply");
    if (event == nlohmann::json::parse_event_t::key && depth == 1) {
      field = value.get<std::string>();
      if (!keys.insert(field).second) {
        fail(status, origin, ": the model configuration has '", shown(field), "' twice");
      }
    }
    return true;
  };
  try {
    nlohmann::json json = nlohmann::json::parse(text, check);
    if (!json.is_object()) {
      fail(status, origin, ": the model configuration is not a JSON object");
    }
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    fail(status, origin, ": the model configuration is not valid JSON (near byte ", error.byte,
         ")");
  } catch (const nlohmann::json::out_of_range&) {
    // The parser's word for a number that no double holds.
    fail(status, origin, ": the model configuration has '", shown(field),
         "' with a number that is too large");
  }
}

const nlohmann::json* ConfigFields::find(const char* name) {
  known_.insert(name);
  const auto found = json_.find(name);
  return found == json_.end() ? nullptr : &*found;
}

void ConfigFields::required(const char* name, int32_t* value) {
  if (find(name) == nullptr) bad("has no '", name, "'");
  optional(name, value);
}

void ConfigFields::optional(const char* name, int32_t* value) {
  const nlohmann::json* field = find(name);
  if (field == nullptr) return;
  if (!field->is_number_integer() || *field < INT32_MIN || *field > INT32_MAX) {
    bad("has '", name, "' ", text_of(*field), "; it must be a whole number of 32 bits");
  }
  *value = field->get<int32_t>();
}

void ConfigFields::optional(const char* name, float* value) {
  const nlohmann::json* field = find(name);
  if (field != nullptr) *value = real(name, *field);
}

void ConfigFields::optional_channels(const char* name, float (&channels)[3]) {
  const nlohmann::json* field = find(name);
  if (field == nullptr) return;
  if (!field->is_array() || field->size() != 3) {
    bad("has '", name, "' ", text_of(*field), "; it must be a list of three numbers");
  }
  for (size_t i = 0; i < 3; ++i) channels[i] = real(name, (*field)[i]);
}

void ConfigFields::optional(const char* name, std::vector<std::string>* values) {
  const nlohmann::json* field = find(name);
  if (field == nullptr || field->is_null()) return;
  const bool strings = field->is_array() &&
                       std::all_of(field->begin(), field->end(),
                                   [](const nlohmann::json& value) { return value.is_string(); });
  if (!strings) bad("has '", name, "' ", text_of(*field), "; it must be a list of strings");
  *values = field->get<std::vector<std::string>>();
  for (const std::string& value : *values) {
    // Where C would end it.
    if (value.find('\0') != std::string::npos) {
      bad("has '", name, "' with a zero character in '", shown(value), "'");
    }
  }
}

int32_t ConfigFields::choice(const char* name, std::span<const char* const> names) {
  const nlohmann::json* field = find(name);
  if (field == nullptr) bad("has no '", name, "'");
  if (field->is_string()) {
    const auto& value = field->get_ref<const std::string&>();
    const auto found = std::find(names.begin(), names.end(), value);
    if (found != names.end()) return static_cast<int32_t>(found - names.begin());
  }
  bad("has '", name, "' ", text_of(*field), "; valid are ", quoted_list(names));
}

void ConfigFields::check_unknown() const {
  for (const auto& [name, value] : json_.items()) {
    if (known_.count(name) == 0) {
      bad("has '", shown(name), "', which this version does not know");
    }
  }
}

// A number that a float holds.
float ConfigFields::real(const char* name, const nlohmann::json& value) const {
  const double number = value.is_number() ? value.get<double>() : HUGE_VAL;
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
    bad("has '", name, "' ", text_of(value), "; it must be a number of at most 3.4e38");
  }
  return static_cast<float>(number);
}

}  // namespace ata
