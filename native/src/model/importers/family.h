#ifndef ATA_MODEL_IMPORTERS_FAMILY_H_
#define ATA_MODEL_IMPORTERS_FAMILY_H_

#include <optional>
#include <string>
#include <vector>

#include "ata/ata.h"

namespace ata {

class Translation;

/// A tensor's name in a family's files, and in the reference model. `#` is the number of a block.
struct NameRule {
  std::string theirs;
  std::string ours;
  /// Which of the `parts` tensors that make ours up, joined along the first axis.
  size_t part = 0;
  size_t parts = 1;
};

/// Where a tensor lies: inside the network, whose names begin with the prefix found for the file,
/// or around it, under a prefix that lacks one or more of the last words of that.
enum class Place { kInside, kAround };

/// Tensors that the model computes the same without.
struct Harmless {
  /// A glob over the rest of the name.
  const char* pattern;
  const char* reason;
  Place place = Place::kInside;
};

/// Kinds of configuration files.
enum class ConfigKind { kHuggingFace, kTimm, kOpenClip };

struct Normalization {
  float mean[3];
  float std[3];
};

inline constexpr Normalization kImageNet = {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
inline constexpr Normalization kClip = {{0.48145466f, 0.4578275f, 0.40821073f},
                                        {0.26862954f, 0.26130258f, 0.27577711f}};
inline constexpr Normalization kTimeSformer = {{0.45f, 0.45f, 0.45f}, {0.225f, 0.225f, 0.225f}};

/// What all models of a family share that no tensor tells; used where no configuration file and no
/// option says otherwise. What is empty differs between the family's models, and is asked for.
struct FamilyFacts {
  std::optional<ata_activation> activation;
  std::optional<float> norm_eps;
  std::optional<Normalization> normalization;
  /// Of which models this is known, for whoever reads the note; and of which the normalisation,
  /// where that are others.
  std::string known_of;
  std::string normalization_known_of;
  /// The mode of a network of videos; none for one of images.
  std::optional<ata_temporal_mode> temporal;
  /// How to ask for the activation, and for the normalisation.
  std::string activation_question;
  std::string normalization_question;
};

/// One kind of checkpoint: its names, and the rule for its configuration.
struct Family {
  /// As in "a checkpoint of ...".
  const char* title;
  ata_checkpoint_source source;
  std::vector<NameRule> names;
  /// Those that may lie inside or around the network: the classifier's.
  std::vector<NameRule> head_names;
  /// Names of `names` that only a vision tower has: what stands before one is the file's prefix.
  std::vector<const char*> anchors;
  /// Our names of what every network of the family has, beyond what every vision transformer has.
  std::vector<const char*> required;
  /// Globs that must each fit a name inside the network for the family to be recognised by itself.
  std::vector<const char*> marks;
  std::vector<Harmless> harmless;
  /// Configuration files that describe such a checkpoint, the best first.
  std::vector<ConfigKind> configs;
  /// `model_type` of those of Hugging Face.
  std::vector<const char*> model_types;
  FamilyFacts (*facts)(const Translation& names);
};

/// Every family, the one that is tried first where names fit several first.
const std::vector<const Family*>& all_families();

/// Ata's own checkpoints, which say themselves that they are.
const Family& ata_family();

// One file each.
const Family& timm_family();
const Family& dinov2_family();
const Family& hugging_face_dinov2_family();
const Family& hugging_face_vit_family();
const Family& timesformer_family();
const Family& hugging_face_timesformer_family();
const Family& openai_clip_family();
const Family& hugging_face_clip_family();

/// Names of the reference model with timm's, which it shares.
std::vector<NameRule> timm_names();
/// Those of the temporal parts, with TimeSformer's.
std::vector<NameRule> timesformer_names();
/// What lies around a vision tower that was trained with a text tower.
std::vector<Harmless> text_tower();

/// Why a tensor that no family uses cannot be done without, or "" where nobody knows.
std::string obstacle(const std::string& name);

/// Another network that such names belong to, and why it is none of Ata's, or "".
std::string other_network(const std::string& name, size_t rank);

}  // namespace ata

#endif  // ATA_MODEL_IMPORTERS_FAMILY_H_
