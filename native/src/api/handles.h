#ifndef ATA_API_HANDLES_H_
#define ATA_API_HANDLES_H_

#include <memory>

#include "model/importers/import_note.h"
#include "model/model.h"
#include "model/session.h"

// Handles that several files of the boundary open.

struct ata_model {
  std::shared_ptr<ata::Model> model;
  /// Of an imported model.
  ata::ImportNotes notes = {};
};

struct ata_session {
  ata::Session session;
};

#endif  // ATA_API_HANDLES_H_
