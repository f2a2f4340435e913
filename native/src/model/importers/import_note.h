#ifndef ATA_MODEL_IMPORTERS_IMPORT_NOTE_H_
#define ATA_MODEL_IMPORTERS_IMPORT_NOTE_H_

#include <string>
#include <vector>

#include "ata/ata.h"

namespace ata {

/// Something that whoever imports a checkpoint should know about it; see
/// ata_model_get_import_note().
struct ImportNote {
  ata_import_note_kind kind;
  /// The field, the weights or the tensor.
  std::string subject;
  std::string text;
};

using ImportNotes = std::vector<ImportNote>;

}  // namespace ata

#endif  // ATA_MODEL_IMPORTERS_IMPORT_NOTE_H_
