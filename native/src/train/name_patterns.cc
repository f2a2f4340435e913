#include "train/name_patterns.h"

#include <algorithm>

#include "base/error.h"
#include "base/glob.h"

namespace ata {

NamePatterns::NamePatterns(std::string_view list, const char* option) : option_(option) {
  if (list.find_first_not_of(' ') == std::string_view::npos) return;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view item = list.substr(begin, end - begin);
    const size_t first = item.find_first_not_of(' ');
    require(first != std::string_view::npos, option, " \"", list,
            "\" has an empty pattern; separate patterns by single commas");
    patterns_.emplace_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
    begin = end + 1;
  }
}

bool NamePatterns::matches(std::string_view name) const {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const std::string& pattern) { return glob_matches(pattern, name); });
}

void NamePatterns::require_matches(const std::vector<std::string>& names) const {
  for (const std::string& pattern : patterns_) {
    require(std::any_of(names.begin(), names.end(),
                        [&](const std::string& name) { return glob_matches(pattern, name); }),
            option_, " pattern \"", pattern, "\" matches none of the model's ", names.size(),
            " parameters, such as \"", names.empty() ? "" : names.back(), "\"");
  }
}

}  // namespace ata
