#ifndef ATA_BASE_GLOB_H_
#define ATA_BASE_GLOB_H_

#include <string_view>

namespace ata {

/// Whether all of `text` fits `pattern`, in which `*` stands for any characters, none included, and
/// `?` for one.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace ata

#endif  // ATA_BASE_GLOB_H_
