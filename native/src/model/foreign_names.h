#ifndef ATA_MODEL_FOREIGN_NAMES_H_
#define ATA_MODEL_FOREIGN_NAMES_H_

#include <map>
#include <string>
#include <vector>

#include "ata/ata.h"

namespace ata {

/// The tensors of a foreign checkpoint under the reference model's names.
struct Translation {
  ata_source source;
  /// For each of our names the foreign tensors that make it up, joined along the first axis; ""
  /// for a part that was not found.
  std::map<std::string, std::vector<std::string>> parts;
};

/// Translates the names of a checkpoint's tensors. `source` ATA_SOURCE_AUTO recognises the origin.
/// Throws ATA_BAD_MODEL, beginning with `origin` (the file), when the names are not those of the
/// source, or belong to a variant that the reference model cannot express. Tensors of no use are
/// logged as a warning, except those of CLIP's text tower.
Translation translate_names(const std::vector<std::string>& names, ata_source source,
                            const std::string& origin);

}  // namespace ata

#endif  // ATA_MODEL_FOREIGN_NAMES_H_
