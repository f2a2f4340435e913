#ifndef ATA_MODEL_IMPORTERS_DEDUCE_CONFIG_H_
#define ATA_MODEL_IMPORTERS_DEDUCE_CONFIG_H_

#include "model/import.h"
#include "model/importers/foreign_checkpoint.h"

namespace ata {

/// What a foreign checkpoint becomes.
struct Deduced {
  ModelConfig config;
  /// Patches along one side of a frame in the file, from which positions are interpolated.
  int32_t grid = 0;
  /// Whether the file's head is kept.
  bool keeps_head = false;
};

/// The configuration of the model that computes what the file's network does. Each field is the
/// option's, else that of the configuration files in `folder`, else that of every model of the
/// family; notes say which. Throws ATA_BAD_MODEL when the tensors contradict each other or the
/// files, or asking for everything that nobody says.
Deduced deduce_config(const ForeignCheckpoint& file, const std::string& folder,
                      const ImportOptions& options, ImportNotes* notes);

}  // namespace ata

#endif  // ATA_MODEL_IMPORTERS_DEDUCE_CONFIG_H_
