#ifndef ATA_TESTS_NATIVE_MODEL_IMPORT_FIXTURE_H_
#define ATA_TESTS_NATIVE_MODEL_IMPORT_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fixture.h"
#include "model/import.h"
#include "model/session.h"

namespace ata {

/// What is written into a file, by name.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// `text` with the first `from`, if there is one, replaced.
inline std::string replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

inline NamedTensors parameters_of(const Fixture& fixture, const std::string& prefix = "") {
  NamedTensors result;
  for (size_t i = 0; i < fixture.parameters.count(); ++i) {
    result.emplace_back(prefix + fixture.parameters.name(i), fixture.parameters.tensor(i));
  }
  return result;
}

/// Imports of image models whose weights come from the space_only fixture; 48 wide with 4 heads.
class ImportTest : public ModelFileTest {
 protected:
  ImportTest() : image_("tiny-space_only") {
    options_.heads = 4;
    options_.normalization = kImageNet;
  }

  std::shared_ptr<Model> import() {
    ImportedModel imported = import_checkpoint(path(), options_);
    notes_ = std::move(imported.notes);
    return imported.model;
  }

  /// What the last import says of a subject, "" when nothing.
  std::string note(ata_import_note_kind kind, const std::string& subject) const {
    for (const ImportNote& note : notes_) {
      if (note.kind == kind && note.subject == subject) return note.text;
    }
    return "";
  }

  std::string write(const NamedTensors& tensors) {
    TensorFile file;
    for (const auto& [name, tensor] : tensors) file.set(name, tensor);
    file.save(path());
    return path();
  }
  /// A file beside the checkpoint.
  void put(const std::string& file, const std::string& text) {
    std::ofstream(path(file), std::ios::binary) << text;
  }

  NamedTensors timm(const std::string& prefix = "") const { return parameters_of(image_, prefix); }
  const Tensor& weight(const std::string& name) const { return image_.parameters.tensor(name); }

  /// The error of importing the file as it is.
  std::string refusal() {
    return error_of(ATA_BAD_MODEL, [&] { import(); });
  }
  /// The error of importing these, which names the file.
  std::string rejection(const NamedTensors& tensors) {
    write(tensors);
    const std::string message = refusal();
    EXPECT_MENTIONS(message, path());
    return message;
  }
  /// The error of importing these but those whose names begin so.
  std::string rejection_without(NamedTensors tensors, const std::string& start) {
    EXPECT_GT(std::erase_if(tensors, [&](const auto& t) { return t.first.rfind(start, 0) == 0; }),
              0u);
    return rejection(tensors);
  }

  Fixture image_;
  ImportOptions options_;
  ImportNotes notes_;
};

}  // namespace ata

#endif  // ATA_TESTS_NATIVE_MODEL_IMPORT_FIXTURE_H_
