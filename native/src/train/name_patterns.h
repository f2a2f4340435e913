#ifndef ATA_TRAIN_NAME_PATTERNS_H_
#define ATA_TRAIN_NAME_PATTERNS_H_

#include <string>
#include <string_view>
#include <vector>

namespace ata {

/// A comma-separated list of patterns (base/glob.h) for parameter names, such as
/// "blocks.0.*,*_embed". Spaces around a pattern are ignored.
class NamePatterns {
 public:
  /// Throws ATA_INVALID_ARGUMENT, naming `option`, for an empty pattern between commas. An empty
  /// list matches nothing.
  NamePatterns(std::string_view list, const char* option);

  bool matches(std::string_view name) const;
  /// Throws ATA_INVALID_ARGUMENT naming a pattern that matches none of `names`.
  void require_matches(const std::vector<std::string>& names) const;

 private:
  std::vector<std::string> patterns_;
  const char* option_;
};

}  // namespace ata

#endif  // ATA_TRAIN_NAME_PATTERNS_H_
