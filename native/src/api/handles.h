#ifndef ATA_API_HANDLES_H_
#define ATA_API_HANDLES_H_

#include <memory>
#include <string>
#include <utility>

#include "model/importers/import_note.h"
#include "model/model.h"
#include "model/session.h"

// Handles that several files of the boundary open.

struct ata_model {
  explicit ata_model(std::shared_ptr<ata::Model> of, ata::ImportNotes import_notes = {})
      : model(std::move(of)),
        notes(std::move(import_notes)),
        backbone_json(model->config().backbone_json()) {}

  std::shared_ptr<ata::Model> model;
  /// Of an imported model.
  ata::ImportNotes notes;
  /// What ata_model_config::backbone points to.
  std::string backbone_json;
};

struct ata_session {
  ata::Session session;
  /// For ThreadLimit.
  int threads = 0;
};

#endif  // ATA_API_HANDLES_H_
