#include "model/importers/deduce_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/text.h"
#include "model/backbones/vit_config.h"
#include "model/containers/element_types.h"
#include "model/importers/published_config.h"

namespace ata {
namespace {

constexpr int32_t kDefaultFrames = 8;
constexpr int32_t kDefaultClasses = 400;

// Heads of the published vision transformers of each width.
constexpr std::pair<int32_t, int32_t> kHeadsOfWidth[] = {
    {192, 3},   {256, 4},   {320, 5},   {384, 6},   {512, 8},   {640, 10},  {768, 12}, {896, 14},
    {1024, 16}, {1152, 16}, {1280, 16}, {1408, 16}, {1536, 24}, {1664, 16}, {1792, 16}};

std::string text_of(const Normalization& value) {
  const auto list = [](const float(&v)[3]) {
    return v[0] == v[1] && v[1] == v[2] ? concat(v[0]) : concat(v[0], ", ", v[1], ", ", v[2]);
  };
  return concat("mean ", list(value.mean), ", std ", list(value.std));
}

// An Ata checkpoint says all of it itself.
PublishedConfig own_statements(const ModelConfig& own) {
  const VitConfig& vit = vit_config(own);
  const std::string where = "its own configuration";
  PublishedConfig config;
  config.dim = {vit.width, where};
  config.depth = {vit.blocks, where};
  config.heads = {vit.heads, where};
  config.hidden_dim = {static_cast<int32_t>(vit.hidden_dim()), where};
  config.patch_size = {vit.patch_size, where};
  config.image_size = {own.image_size, where};
  config.frames = {own.frames, where};
  config.classes = {own.classes, where};
  config.activation = {vit.activation, where};
  config.norm_eps = {vit.norm_eps, where};
  // What was trained on single pictures is a network of images.
  if (own.temporal != ATA_TEMPORAL_SPACE_ONLY || own.frames > 1) {
    config.temporal = {own.temporal, where};
  }
  Normalization normalization;
  std::copy(std::begin(own.mean), std::end(own.mean), normalization.mean);
  std::copy(std::begin(own.std), std::end(own.std), normalization.std);
  config.normalization = {normalization, where};
  if (!own.labels.empty()) config.labels = {own.labels, where};
  return config;
}

class Deduction {
 public:
  Deduction(const ForeignCheckpoint& file, const std::string& folder, const ImportOptions& options,
            ImportNotes* notes)
      : file_(file), names_(file.names()), options_(options), notes_(*notes) {
    own_ = file.own_config().has_value();
    if (own_) {
      published_ = own_statements(*file.own_config());
      result_.config = *file.own_config();
      result_.config.labels.clear();
      vit_ = vit_config(result_.config);
    } else if (!options.tensors_only) {
      published_ = read_published_config(folder, names_.family());
    }
    facts_ = names_.family().facts(names_);
  }

  Deduced run() {
    note(ATA_IMPORT_FOUND, "source",
         own_ ? std::string("a checkpoint of Ata")
              : concat(names_.family().title,
                       names_.prefix().empty() ? "" : concat(", under '", names_.prefix(), "'")));
    read_shapes();
    compare_with_published();
    choose_heads();
    choose_arithmetic();
    choose_normalization();
    choose_time();
    choose_head();
    choose_image_size();
    ask();
    set_backbone(result_.config, vit_);
    result_.config.validate(ATA_BAD_MODEL, concat("'", file_.path(), "' cannot be imported"));
    notes_.insert(notes_.end(), published_.notes.begin(), published_.notes.end());
    return result_;
  }

 private:
  void note(ata_import_note_kind kind, const std::string& subject, const std::string& text) {
    notes_.push_back({kind, subject, text});
  }

  int32_t extent(const std::string& ours, size_t axis, size_t rank) const {
    const std::vector<int64_t> dims = file_.dims(ours);
    const bool empty = std::any_of(dims.begin(), dims.end(), [](int64_t d) { return d < 1; });
    if (dims.size() != rank || dims[axis] > INT32_MAX || empty) {
      const std::string& original = names_.parts(ours)[0];
      file_.bad("tensor '", original, "' has shape ", dims_to_string(file_.source().dims(original)),
                "; it must have ", rank, " axes, none of them empty");
    }
    return static_cast<int32_t>(dims[axis]);
  }

  void read_shapes() {
    ModelConfig& config = result_.config;
    const char* const kPatches = "patch_embed.proj.weight";
    vit_.width = extent(kPatches, 0, 4);
    vit_.patch_size = extent(kPatches, 2, 4);
    if (extent(kPatches, 1, 4) != 3) {
      file_.bad("'", names_.original(kPatches), "' takes pictures of ", extent(kPatches, 1, 4),
                " channels; Ata's have 3");
    }
    if (extent(kPatches, 3, 4) != vit_.patch_size) {
      file_.bad("'", names_.original(kPatches), "' has patches of ", vit_.patch_size, " x ",
                extent(kPatches, 3, 4), " pixels; Ata's are square");
    }
    const int64_t positions = extent("pos_embed", 0, 2) - (names_.lacks_class_position() ? 0 : 1);
    result_.grid = static_cast<int32_t>(std::llround(std::sqrt(static_cast<double>(positions))));
    const int64_t side = int64_t{result_.grid} * vit_.patch_size;
    if (side > INT32_MAX) file_.bad("'", names_.original("pos_embed"), "' has too many positions");
    config.image_size = static_cast<int32_t>(side);
    vit_.blocks = names_.depth();
    const int32_t hidden = extent("blocks.0.mlp.fc1.weight", 0, 2);
    if (hidden == 2 * int64_t{extent("blocks.0.mlp.fc2.weight", 1, 2)}) {
      file_.bad("'", names_.original("blocks.0.mlp.fc1.weight"), "' has twice as many rows as '",
                names_.original("blocks.0.mlp.fc2.weight"),
                "' takes: the MLPs are gated (SwiGLU), which Ata's are not");
    }
    vit_.mlp_ratio = static_cast<float>(hidden) / static_cast<float>(vit_.width);
  }

  template <typename T>
  void compare(const std::optional<Stated<T>>& stated, T actual, const char* what) const {
    if (!stated || stated->value == actual) return;
    file_.bad(
        "its tensors have ", what, " ", actual, ", but ", stated->where, " is ", stated->value,
        own_ ? "" : "; if that file belongs to another checkpoint, leave it unread (--no-config)");
  }

  void compare_with_published() const {
    const ModelConfig& config = result_.config;
    compare(published_.dim, vit_.width, "width");
    compare(published_.depth, vit_.blocks, "a number of blocks of");
    compare(published_.hidden_dim, static_cast<int32_t>(vit_.hidden_dim()), "MLPs of width");
    compare(published_.patch_size, vit_.patch_size, "patches of side");
    compare(published_.image_size, config.image_size, "positions for pictures of side");
    if (names_.contains("time_embed")) {
      compare(published_.frames, extent("time_embed", 0, 2), "a number of frames of");
    }
    if (names_.contains("head.weight")) {
      compare(published_.classes, extent("head.weight", 0, 2), "a number of classes of");
    }
    if (published_.qkv_bias &&
        published_.qkv_bias->value != names_.contains("blocks.0.attn.qkv.bias")) {
      file_.bad(published_.qkv_bias->where, " is ", published_.qkv_bias->value ? "true" : "false",
                ", but tensor '", names_.original("blocks.0.attn.qkv.bias"), "' is ",
                published_.qkv_bias->value ? "missing" : "there");
    }
    if (published_.temporal && !own_ && published_.temporal->value != names_.temporal_mode()) {
      file_.bad("its tensors are those of mode '", temporal_mode_name(names_.temporal_mode()),
                "', but ", published_.temporal->where, " says '",
                temporal_mode_name(published_.temporal->value), "'");
    }
  }

  // The option's value, else the published one, else the family's; which, is noted.
  template <typename T, typename Text>
  std::optional<T> choose(const char* field, const std::optional<T>& option,
                          const std::optional<Stated<T>>& published, const std::optional<T>& known,
                          const std::string& known_of, const Text& text) {
    if (option) {
      if (published && text(published->value) != text(*option)) {
        note(ATA_IMPORT_FOUND, field,
             concat(text(*option), " as asked, where ", published->where, " says ",
                    text(published->value)));
      }
      return option;
    }
    if (published) {
      if (!own_) {
        note(ATA_IMPORT_FOUND, field, concat(text(published->value), ", by ", published->where));
      }
      return published->value;
    }
    if (known) {
      note(ATA_IMPORT_ASSUMED, field, concat(text(*known), ", as all of ", known_of));
    }
    return known;
  }

  void choose_heads() {
    const auto text = [](int32_t heads) { return std::to_string(heads); };
    std::optional<int32_t> option;
    if (options_.heads > 0) option = options_.heads;
    std::optional<int32_t> heads =
        choose<int32_t>("heads", option, published_.heads, std::nullopt, "", text);
    const int32_t dim = vit_.width;
    if (!heads) {
      for (const auto& [width, count] : kHeadsOfWidth) {
        if (width != dim) continue;
        heads = count;
        note(ATA_IMPORT_ASSUMED, "heads", concat(count, ", as published models of width ", dim));
      }
    }
    if (!heads) {
      questions_.push_back(concat("how many attention heads it has, for no published model is ",
                                  dim, " wide: --heads"));
      return;
    }
    if (*heads < 1 || dim % *heads != 0) {
      file_.bad(*heads, " attention heads do not divide its width, ", dim, " (--heads)");
    }
    vit_.heads = *heads;
  }

  void choose_arithmetic() {
    const auto activation = choose<ata_activation>(
        "activation", options_.activation, published_.activation, facts_.activation,
        facts_.known_of, [](ata_activation value) { return std::string(activation_name(value)); });
    if (activation) {
      vit_.activation = *activation;
    } else {
      questions_.push_back(concat("which activation it has, for no tensor tells (",
                                  facts_.activation_question, "): --activation"));
    }
    const auto eps =
        choose<float>("norm_eps", options_.norm_eps, published_.norm_eps, facts_.norm_eps,
                      facts_.known_of, [](float value) { return concat(value); });
    if (eps) vit_.norm_eps = *eps;
  }

  void choose_normalization() {
    const auto chosen = choose<Normalization>(
        "normalization", options_.normalization, published_.normalization, facts_.normalization,
        facts_.normalization_known_of.empty() ? facts_.known_of : facts_.normalization_known_of,
        text_of);
    if (!chosen) {
      questions_.push_back(concat("how its pixels are normalised, for no tensor tells (",
                                  facts_.normalization_question,
                                  "): --mean and --std, or --normalization"));
      return;
    }
    std::copy(std::begin(chosen->mean), std::end(chosen->mean), result_.config.mean);
    std::copy(std::begin(chosen->std), std::end(chosen->std), result_.config.std);
  }

  void choose_time() {
    ModelConfig& config = result_.config;
    const bool has_times = names_.contains("time_embed");
    config.temporal = options_.temporal     ? *options_.temporal
                      : published_.temporal ? published_.temporal->value
                                            : facts_.temporal.value_or(ATA_TEMPORAL_ATA);
    const int32_t stored = has_times           ? extent("time_embed", 0, 2)
                           : published_.frames ? published_.frames->value
                                               : kDefaultFrames;
    config.frames = options_.frames > 0 ? options_.frames : stored;
    if (options_.frames == 0 && !has_times && !published_.frames) {
      note(ATA_IMPORT_ASSUMED, "frames", concat(kDefaultFrames, ", for the file has no times"));
    }
  }

  void choose_head() {
    ModelConfig& config = result_.config;
    const bool has_head = names_.contains("head.weight");
    const int32_t stored = has_head ? extent("head.weight", 0, 2) : 0;
    const int32_t usual = own_ ? published_.classes->value : kDefaultClasses;
    config.classes = options_.classes > 0 ? options_.classes : has_head ? stored : usual;
    result_.keeps_head = has_head && stored == config.classes;
    if (has_head && extent("head.weight", 1, 2) != vit_.width) {
      file_.bad("'", names_.original("head.weight"), "' takes ", extent("head.weight", 1, 2),
                " values, not the ", vit_.width,
                " of the class token; for a new head leave it out (--ignore)");
    }
    if (result_.keeps_head && published_.labels) {
      const std::vector<std::string>& labels = published_.labels->value;
      if (labels.size() != static_cast<size_t>(stored)) {
        file_.bad("its head has ", stored, " classes, but ", published_.labels->where, " names ",
                  labels.size());
      }
      config.labels = labels;
      if (!own_) {
        note(ATA_IMPORT_FOUND, "labels", concat(labels.size(), ", by ", published_.labels->where));
      }
    }
    if (result_.keeps_head) return;
    note(ATA_IMPORT_NEW, "head",
         concat(config.classes, " classes, random, ",
                has_head ? concat("for the file's head has ", stored)
                         : std::string("for the file has none"),
                options_.classes == 0 && !has_head ? " (--classes says how many)" : "",
                "; train it before use"));
  }

  void choose_image_size() {
    ModelConfig& config = result_.config;
    const int32_t stored = config.image_size;
    if (options_.image_size > 0) config.image_size = options_.image_size;
    const auto& seen = published_.seen_size;
    if (options_.image_size == 0 && seen && seen->value != stored && seen->value > 0) {
      note(ATA_IMPORT_FOUND, "image_size",
           concat(stored, ", which the positions are for, where ", seen->where, " says ",
                  seen->value,
                  seen->value % vit_.patch_size == 0
                      ? concat("; --image-size ", seen->value, " interpolates them")
                      : ""));
    }
  }

  void ask() const {
    if (questions_.empty()) return;
    std::string list;
    for (size_t i = 0; i < questions_.size(); ++i) list += (i == 0 ? "" : "; ") + questions_[i];
    file_.bad("say ", list);
  }

  const ForeignCheckpoint& file_;
  const Translation& names_;
  const ImportOptions& options_;
  ImportNotes& notes_;
  bool own_ = false;
  PublishedConfig published_;
  FamilyFacts facts_;
  Deduced result_;
  /// The backbone of result_.config, which gets it at last.
  VitConfig vit_;
  std::vector<std::string> questions_;
};

}  // namespace

Deduced deduce_config(const ForeignCheckpoint& file, const std::string& folder,
                      const ImportOptions& options, ImportNotes* notes) {
  return Deduction(file, folder, options, notes).run();
}

}  // namespace ata
