#include "model/importers/translation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/glob.h"

namespace ata {
namespace {

// Blocks of any network, and prefixes that a file may have before we no longer look.
constexpr int32_t kMaxBlocks = 1024;
constexpr size_t kMaxPrefixes = 64;

constexpr Harmless kHarmlessAnywhere[] = {
    {"*num_batches_tracked", "a counter of training steps"},
    {"*position_ids", "the numbers of the positions, in their order"}};

// A number as programs write it: digits without leading zeros, less than kMaxBlocks.
std::optional<int32_t> block_number(std::string_view text) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 ||
      number >= kMaxBlocks || (text.size() > 1 && text[0] == '0') || text[0] == '-') {
    return std::nullopt;
  }
  return number;
}

struct Numbered {
  /// The name with `#` for its first number.
  std::string pattern;
  std::optional<int32_t> number;
};

Numbered numbered(const std::string& name) {
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view word = std::string_view(name).substr(begin, end - begin);
    if (const auto number = word.empty() ? std::nullopt : block_number(word)) {
      return {name.substr(0, begin) + "#" + name.substr(end), number};
    }
    begin = end + 1;
  }
  return {name, std::nullopt};
}

std::string with_number(const std::string& pattern, int32_t number) {
  const size_t at = pattern.find('#');
  return at == std::string::npos
             ? pattern
             : pattern.substr(0, at) + std::to_string(number) + pattern.substr(at + 1);
}

// What stands before a name that ends as `anchor`, or nothing.
std::optional<std::string> prefix_before(const std::string& name, std::string_view anchor) {
  const size_t hash = anchor.find('#');
  const std::string_view tail = hash == std::string_view::npos ? anchor : anchor.substr(hash + 1);
  if (!name.ends_with(tail)) return std::nullopt;
  std::string_view rest = std::string_view(name).substr(0, name.size() - tail.size());
  if (hash != std::string_view::npos) {
    const std::string_view head = anchor.substr(0, hash);
    const size_t dot = rest.rfind('.');
    if (dot == std::string_view::npos || !block_number(rest.substr(dot + 1)) ||
        !rest.substr(0, dot + 1).ends_with(head)) {
      return std::nullopt;
    }
    rest = rest.substr(0, dot + 1 - head.size());
  }
  if (!rest.empty() && rest.back() != '.') return std::nullopt;
  return std::string(rest);
}

// The prefix, then what is left of it without its last word, and so on to "".
std::vector<std::string> shorter_prefixes(std::string prefix) {
  std::vector<std::string> result = {prefix};
  while (!prefix.empty()) {
    const size_t dot = prefix.rfind('.', prefix.size() - 2);
    prefix.erase(prefix.size() < 2 || dot == std::string::npos ? 0 : dot + 1);
    result.push_back(prefix);
  }
  return result;
}

// What every vision transformer of ours has.
constexpr const char* kRequired[] = {"cls_token",
                                     "pos_embed",
                                     "patch_embed.proj.weight",
                                     "blocks.#.norm1.weight",
                                     "blocks.#.norm1.bias",
                                     "blocks.#.attn.qkv.weight",
                                     "blocks.#.attn.proj.weight",
                                     "blocks.#.attn.proj.bias",
                                     "blocks.#.norm2.weight",
                                     "blocks.#.norm2.bias",
                                     "blocks.#.mlp.fc1.weight",
                                     "blocks.#.mlp.fc1.bias",
                                     "blocks.#.mlp.fc2.weight",
                                     "blocks.#.mlp.fc2.bias",
                                     "norm.weight",
                                     "norm.bias"};

// Of which a file has all or nothing.
const std::vector<std::vector<const char*>> kTogether = {
    {"head.weight", "head.bias"},
    {"norm_pre.weight", "norm_pre.bias"},
    {"blocks.#.ls1.gamma", "blocks.#.ls2.gamma"},
    {"blocks.#.temporal_norm1.weight", "blocks.#.temporal_norm1.bias",
     "blocks.#.temporal_attn.qkv.weight", "blocks.#.temporal_attn.proj.weight",
     "blocks.#.temporal_attn.proj.bias", "blocks.#.temporal_fc.weight",
     "blocks.#.temporal_fc.bias"}};

// What the second cannot do without.
constexpr std::pair<const char*, const char*> kNeeds[] = {
    {"time_embed", "blocks.#.temporal_attn.qkv.weight"},
    {"blocks.#.temporal_attn.qkv.weight", "blocks.#.temporal_attn.qkv.bias"}};

}  // namespace

Translation::Translation(const TensorSource& file, ata_checkpoint_source source,
                         const std::vector<std::string>& ignore)
    : file_(file) {
  leave_out(ignore);
  recognise(source);
  translate();
}

Translation::Translation(const TensorSource& file, const Family& family,
                         const std::vector<std::string>& ignore)
    : file_(file), family_(&family) {
  leave_out(ignore);
  translate();
}

template <typename... Args>
void Translation::bad(const Args&... args) const {
  fail(ATA_BAD_MODEL, "'", file_.path(), "' cannot be imported: ", args...);
}

void Translation::leave_out(const std::vector<std::string>& ignore) {
  std::vector<size_t> fitting(ignore.size());
  for (size_t i = 0; i < file_.count(); ++i) {
    const std::string& name = file_.name(i);
    bool left_out = false;
    for (size_t pattern = 0; pattern < ignore.size(); ++pattern) {
      if (!glob_matches(ignore[pattern], name)) continue;
      ++fitting[pattern];
      if (!left_out) {
        notes_.push_back({ATA_IMPORT_IGNORED, name, concat("as asked (", ignore[pattern], ")")});
      }
      left_out = true;
    }
    if (!left_out) names_.push_back(name);
  }
  for (size_t pattern = 0; pattern < ignore.size(); ++pattern) {
    require(fitting[pattern] > 0, "'", file_.path(), "' has no tensor that fits '", ignore[pattern],
            "', which is to be ignored (--ignore)");
  }
}

void Translation::recognise(ata_checkpoint_source source) {
  for (const std::string& name : names_) {
    const std::string network = other_network(name, file_.dims(name).size());
    if (!network.empty()) bad("it is a network of another kind, ", network);
  }
  struct Candidate {
    const Family* family;
    std::string prefix;
    size_t fitting;
  };
  std::vector<Candidate> candidates;
  for (const Family* family : all_families()) {
    std::set<std::string> prefixes;
    for (const std::string& name : names_) {
      for (const char* anchor : family->anchors) {
        if (const auto prefix = prefix_before(name, anchor)) prefixes.insert(*prefix);
      }
      if (prefixes.size() > kMaxPrefixes) {
        bad("it holds more than ", kMaxPrefixes, " networks; keep the one that you want");
      }
    }
    std::set<std::string> known;
    for (const auto* rules : {&family->names, &family->head_names}) {
      for (const NameRule& rule : *rules) known.insert(rule.theirs);
    }
    for (const std::string& prefix : prefixes) {
      std::vector<bool> marked(family->marks.size());
      Candidate candidate{family, prefix, 0};
      for (const std::string& name : names_) {
        if (!name.starts_with(prefix)) continue;
        const std::string rest = name.substr(prefix.size());
        candidate.fitting += known.count(numbered(rest).pattern);
        for (size_t mark = 0; mark < marked.size(); ++mark) {
          if (!marked[mark]) marked[mark] = glob_matches(family->marks[mark], rest);
        }
      }
      const bool asked_for = source == family->source;
      if (asked_for || std::find(marked.begin(), marked.end(), false) == marked.end()) {
        candidates.push_back(std::move(candidate));
      }
    }
  }
  const auto best_of = [&](bool any_source) {
    const Candidate* best = nullptr;
    for (const Candidate& candidate : candidates) {
      const bool wanted = any_source || source == candidate.family->source;
      if (wanted && (best == nullptr || candidate.fitting > best->fitting)) best = &candidate;
    }
    return best;
  };
  const Candidate* likely = best_of(true);
  if (likely == nullptr) {
    bad("its tensor names are those of no vision transformer that Ata knows (timm, DINOv2, CLIP, ",
        "TimeSformer, Hugging Face's ViT)",
        names_.empty() ? std::string("; it has none") : concat("; the first is '", names_[0], "'"));
  }
  const Candidate* best = source == ATA_CHECKPOINT_AUTO ? likely : best_of(false);
  // Names that fit the wish by a few words only are another family's.
  if (best == nullptr || 2 * best->fitting < likely->fitting) {
    const Family* asked = nullptr;
    for (const Family* family : all_families()) {
      if (asked == nullptr && family->source == source) asked = family;
    }
    bad("it is not a checkpoint of ", asked->title, "; its names are those of ",
        likely->family->title);
  }
  for (const Candidate& other : candidates) {
    if (other.prefix != best->prefix && 2 * other.fitting > best->fitting) {
      bad("it holds two networks, under '", best->prefix, "' and under '", other.prefix,
          "'; leave one out, as by --ignore '",
          best->prefix.size() > other.prefix.size() ? best->prefix : other.prefix, "*'");
    }
  }
  family_ = best->family;
  prefix_ = best->prefix;
}

void Translation::translate() {
  std::vector<std::string> unknown;
  for (const std::string& name : names_) {
    if (!place(name) && !is_harmless(name)) unknown.push_back(name);
  }
  if (!unknown.empty()) refuse(unknown);
  check_complete();
  check_positions();
}

bool Translation::place(const std::string& name) {
  const std::vector<std::string> prefixes = shorter_prefixes(prefix_);
  if (name.starts_with(prefix_) && place_as(family_->names, name.substr(prefix_.size()), name)) {
    return true;
  }
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
    return name.starts_with(prefix) &&
           place_as(family_->head_names, name.substr(prefix.size()), name);
  });
}

bool Translation::place_as(const std::vector<NameRule>& rules, const std::string& rest,
                           const std::string& name) {
  const Numbered theirs = numbered(rest);
  for (const NameRule& rule : rules) {
    if (rule.theirs != theirs.pattern) continue;
    const int32_t number = theirs.number.value_or(0);
    std::vector<std::string>& parts = parts_[with_number(rule.ours, number)];
    parts.resize(rule.parts);
    if (!parts[rule.part].empty()) {
      bad("'", parts[rule.part], "' and '", name, "' are the same tensor");
    }
    parts[rule.part] = name;
    ++followed_[&rule];
    if (theirs.number) depth_ = std::max(depth_, number + 1);
    return true;
  }
  return false;
}

bool Translation::is_harmless(const std::string& name) {
  const auto leave = [&](const std::string& rest, const char* reason) {
    harmless_.push_back(rest);
    notes_.push_back({ATA_IMPORT_IGNORED, name, reason});
    return true;
  };
  for (const std::string& prefix : shorter_prefixes(prefix_)) {
    if (!name.starts_with(prefix)) continue;
    const std::string rest = name.substr(prefix.size());
    const Place place = prefix == prefix_ ? Place::kInside : Place::kAround;
    for (const Harmless& harmless : family_->harmless) {
      if (harmless.place == place && glob_matches(harmless.pattern, rest)) {
        return leave(rest, harmless.reason);
      }
    }
  }
  for (const Harmless& harmless : kHarmlessAnywhere) {
    if (glob_matches(harmless.pattern, name)) return leave(name, harmless.reason);
  }
  return false;
}

void Translation::refuse(const std::vector<std::string>& unknown) const {
  for (const std::string& name : unknown) {
    const std::string reason = obstacle(name);
    if (!reason.empty()) bad("'", name, "' ", reason);
  }
  const size_t others = unknown.size() - 1;
  bad("nothing in a checkpoint of ", family_->title, prefix_.empty() ? "" : " under '", prefix_,
      prefix_.empty() ? "" : "'", " is called '", unknown[0], "'",
      others == 0 ? std::string() : concat(" (nor ", others, " more of its tensors)"),
      ", and without it another network would come out; to leave it out all the same, say --ignore "
      "'",
      unknown[0], "'");
}

std::string Translation::original(const std::string& ours) const {
  const auto found = parts_.find(ours);
  if (found != parts_.end()) {
    for (const std::string& part : found->second) {
      if (!part.empty()) return part;
    }
  }
  // The spelling that the rest of the file has.
  const Numbered pattern = numbered(ours);
  const NameRule* best = nullptr;
  size_t most = 0;
  for (const auto* rules : {&family_->names, &family_->head_names}) {
    for (const NameRule& rule : *rules) {
      const auto followed = followed_.find(&rule);
      const size_t count = followed == followed_.end() ? 0 : followed->second;
      if (rule.ours == pattern.pattern && (best == nullptr || count > most)) {
        best = &rule;
        most = count;
      }
    }
  }
  return best == nullptr ? ours : prefix_ + with_number(best->theirs, pattern.number.value_or(0));
}

std::string Translation::original_part(const std::string& ours, size_t part) const {
  const Numbered pattern = numbered(ours);
  const std::string there = numbered(original(ours).substr(prefix_.size())).pattern;
  const NameRule* best = nullptr;
  std::ptrdiff_t longest = -1;
  for (const NameRule& rule : family_->names) {
    if (rule.ours != pattern.pattern || rule.part != part) continue;
    // Of two spellings the one that begins as the part that is there.
    const auto [end, ignored] =
        std::mismatch(rule.theirs.begin(), rule.theirs.end(), there.begin(), there.end());
    const std::ptrdiff_t common = end - rule.theirs.begin();
    if (common > longest) {
      best = &rule;
      longest = common;
    }
  }
  return prefix_ + with_number(best->theirs, pattern.number.value_or(0));
}

void Translation::missing(const std::string& ours, const std::string& why) const {
  bad("tensor '", original(ours), "' is missing", why);
}

void Translation::check_complete() const {
  // In how many blocks each tensor is.
  std::unordered_map<std::string, std::set<int32_t>> blocks;
  for (const auto& [ours, parts] : parts_) {
    const Numbered pattern = numbered(ours);
    blocks[pattern.pattern].insert(pattern.number.value_or(0));
  }
  const auto has = [&](const std::string& pattern) { return blocks.count(pattern) != 0; };
  if (depth_ == 0) missing("blocks.0.norm1.weight", ", as is every other tensor of a block");
  for (int32_t i = 0; i < depth_; ++i) {
    const bool empty = std::none_of(blocks.begin(), blocks.end(), [&](const auto& entry) {
      return entry.first.find('#') != std::string::npos && entry.second.count(i) != 0;
    });
    if (empty) {
      missing(concat("blocks.", i, ".norm1.weight"),
              concat(", as is all of block ", i, " of ", depth_));
    }
  }
  // First what is there in some blocks: it tells best what is wrong.
  for (const auto& [ours, parts] : parts_) {
    const std::string pattern = numbered(ours).pattern;
    if (pattern.find('#') == std::string::npos) continue;
    for (int32_t i = 0; i < depth_; ++i) {
      if (blocks[pattern].count(i) == 0) {
        missing(with_number(pattern, i), concat(", but '", original(ours), "' is there"));
      }
    }
  }
  for (const auto& [ours, parts] : parts_) {
    for (size_t part = 0; part < parts.size(); ++part) {
      if (parts[part].empty()) {
        bad("tensor '", original_part(ours, part), "' is missing, but '", original(ours),
            "' is there");
      }
    }
  }
  for (const char* pattern : kRequired) {
    if (!has(pattern)) missing(with_number(pattern, 0), "");
  }
  for (const char* pattern : family_->required) {
    if (!has(pattern)) {
      missing(with_number(pattern, 0), concat(", which every network of ", family_->title, " has"));
    }
  }
  if (!has("patch_embed.proj.bias") && !has("norm_pre.weight")) {
    missing("patch_embed.proj.bias", "");
  }
  for (const auto& group : kTogether) {
    const auto present = std::find_if(group.begin(), group.end(), has);
    const auto absent = std::find_if_not(group.begin(), group.end(), has);
    if (present != group.end() && absent != group.end()) {
      missing(with_number(*absent, 0),
              concat(", but '", original(with_number(*present, 0)), "' is there",
                     std::string(*absent).rfind("head.", 0) == 0
                         ? "; for a new head, leave that out too (--ignore)"
                         : ""));
    }
  }
  for (const auto& [needed, by] : kNeeds) {
    if (has(by) && !has(needed)) {
      missing(with_number(needed, 0),
              concat(", but '", original(with_number(by, 0)), "' is there"));
    }
  }
  const char* const kTemporalBias = "blocks.#.temporal_attn.qkv.bias";
  if (has("blocks.#.temporal_attn.qkv.weight") && has("blocks.#.attn.qkv.bias") &&
      !has(kTemporalBias)) {
    missing(with_number(kTemporalBias, 0),
            concat(", but '", original("blocks.0.attn.qkv.bias"), "' is there"));
  }
}

void Translation::check_positions() {
  const std::vector<std::string>& parts = parts_.at("pos_embed");
  const std::vector<int64_t>& dims = file_.dims(parts[0]);
  const int64_t rows = dims.size() >= 2 ? dims[dims.size() - 2] : 0;
  const auto is_square = [](int64_t count) {
    const int64_t side = std::llround(std::sqrt(static_cast<double>(count)));
    return count > 0 && side * side == count;
  };
  lacks_class_position_ = is_square(rows) && !is_square(rows - 1);
  if (!lacks_class_position_ && !is_square(rows - 1)) {
    bad("'", parts[0], "' has ", rows,
        " positions, which is no square grid of patches with or without a class token: registers, ",
        "a distillation token or frames that are not square are not supported");
  }
}

bool Translation::left_out(const std::string& pattern) const {
  return std::any_of(harmless_.begin(), harmless_.end(),
                     [&](const std::string& rest) { return glob_matches(pattern, rest); });
}

ata_temporal_mode Translation::temporal_mode() const {
  if (contains("blocks.0.temporal_attn.qkv.weight")) return ATA_TEMPORAL_DIVIDED;
  return contains("time_embed") ? ATA_TEMPORAL_JOINT : ATA_TEMPORAL_SPACE_ONLY;
}

}  // namespace ata
