#ifndef ATA_MODEL_IMPORTERS_TRANSLATION_H_
#define ATA_MODEL_IMPORTERS_TRANSLATION_H_

#include <map>
#include <string>
#include <vector>

#include "model/importers/family.h"
#include "model/importers/import_note.h"
#include "model/tensor_source.h"

namespace ata {

/// The tensors of a foreign file under the reference model's names. Every tensor of the file is in
/// it, is known to be harmless, or was left out by the caller's wish; what the network cannot do
/// without is there, and what its blocks have, all of them have.
class Translation {
 public:
  /// Translates the names of a file's tensors. `source` ATA_CHECKPOINT_AUTO recognises the family;
  /// `ignore` are globs over whole names. Throws ATA_BAD_MODEL naming the tensor that is unknown or
  /// missing, ATA_INVALID_ARGUMENT for a pattern that fits no name.
  Translation(const TensorSource& file, ata_checkpoint_source source,
              const std::vector<std::string>& ignore);
  /// The same for a file that says itself to be of `family`, under no prefix.
  Translation(const TensorSource& file, const Family& family,
              const std::vector<std::string>& ignore);

  const Family& family() const { return *family_; }
  /// What the network's names begin with, "" or ending in a dot.
  const std::string& prefix() const { return prefix_; }
  /// Number of blocks.
  int32_t depth() const { return depth_; }
  bool contains(const std::string& ours) const { return parts_.count(ours) != 0; }
  /// The foreign tensors that make up one of ours, joined along the first axis. It must be there.
  const std::vector<std::string>& parts(const std::string& ours) const { return parts_.at(ours); }
  /// Their names for an error message; what the name would be when the tensor is not there.
  std::string original(const std::string& ours) const;
  /// Whether a harmless tensor fits the glob, which is over the rest of its name.
  bool left_out(const std::string& pattern) const;
  /// Whether `pos_embed` has as many rows as a square has cells, none for a class token.
  bool lacks_class_position() const { return lacks_class_position_; }
  /// The mode of a TimeSformer with these tensors.
  ata_temporal_mode temporal_mode() const;
  /// What was left out.
  const ImportNotes& notes() const { return notes_; }

 private:
  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const;
  void leave_out(const std::vector<std::string>& ignore);
  void recognise(ata_checkpoint_source source);
  void translate();
  bool place(const std::string& name);
  bool place_as(const std::vector<NameRule>& rules, const std::string& rest,
                const std::string& name);
  bool is_harmless(const std::string& name);
  /// The name that a missing part of one of ours would have.
  std::string original_part(const std::string& ours, size_t part) const;
  void check_complete() const;
  void check_positions();
  [[noreturn]] void refuse(const std::vector<std::string>& unknown) const;
  [[noreturn]] void missing(const std::string& ours, const std::string& why) const;

  const TensorSource& file_;
  const Family* family_ = nullptr;
  std::string prefix_;
  int32_t depth_ = 0;
  /// Names of the file that are not left out by the caller.
  std::vector<std::string> names_;
  std::map<std::string, std::vector<std::string>> parts_;
  /// Rests of harmless names.
  std::vector<std::string> harmless_;
  /// Rules of the family that some name followed.
  std::map<const NameRule*, size_t> followed_;
  bool lacks_class_position_ = false;
  ImportNotes notes_;
};

}  // namespace ata

#endif  // ATA_MODEL_IMPORTERS_TRANSLATION_H_
