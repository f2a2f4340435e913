#include "model/containers/pytorch_values.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"

namespace ata {
namespace {

using Id = Pickle::Id;
using Kind = Pickle::Kind;

constexpr size_t kMaxShown = 80;
constexpr size_t kMaxLines = 100;
constexpr size_t kMaxKeyBytes = 1000;
// How many of a file's keys an error lists.
constexpr size_t kMaxListed = 20;
// Dictionaries of dictionaries until the weights.
constexpr int kMaxDepth = 4;

// Keys that the weights of a network are kept under, in files of training programs.
constexpr std::string_view kWeightKeys[] = {
    "state_dict", "model",     "model_state",    "model_state_dict", "module",
    "net",        "network",   "weights",        "params",           "ema",
    "model_ema",  "ema_model", "state_dict_ema", "ema_state_dict",   "teacher",
    "student",    "backbone",  "encoder",        "target_encoder",   "visual"};
// Parts of keys that hold tensors which are not the network's.
constexpr std::string_view kOtherKeys[] = {"optim", "sched", "scaler", "loss", "criterion"};

bool is_weight_key(std::string_view key) {
  return std::find(std::begin(kWeightKeys), std::end(kWeightKeys), key) != std::end(kWeightKeys);
}

bool is_other_key(std::string_view key) {
  return std::any_of(std::begin(kOtherKeys), std::end(kOtherKeys),
                     [&](std::string_view part) { return key.find(part) != key.npos; });
}

bool is_sequence(const Pickle& pickle, Id value) {
  return pickle.is(value, Kind::kList) || pickle.is(value, Kind::kTuple);
}

// A dictionary's key as the user would write it, or nothing if it is neither text nor an integer.
std::optional<std::string> key_text(const Pickle& pickle, Id key) {
  if (pickle.is(key, Kind::kString)) return std::string(pickle.text(key));
  if (pickle.is(key, Kind::kInteger)) return std::to_string(pickle.integer(key));
  return std::nullopt;
}

struct Entry {
  std::string key;
  Id value;
};

// The entries of a dictionary whose keys can be written, or the elements of a sequence by number.
std::vector<Entry> entries_of(const Pickle& pickle, Id value) {
  std::vector<Entry> result;
  if (is_sequence(pickle, value)) {
    for (const Id item : pickle.items(value)) {
      result.push_back({std::to_string(result.size()), item});
    }
  } else if (pickle.is(value, Kind::kDict)) {
    const std::span<const Id> items = pickle.items(value);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (std::optional<std::string> key = key_text(pickle, items[i])) {
        result.push_back({std::move(*key), items[i + 1]});
      }
    }
  }
  return result;
}

// Whether a dictionary holds tensors itself; a number that happens to be a tensor does not count.
bool holds_tensors(const Pickle& pickle, Id dictionary) {
  const std::span<const Id> items = pickle.items(dictionary);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!pickle.is(items[i], Kind::kString)) continue;
    const std::optional<TensorCall> call = tensor_call(pickle, items[i + 1]);
    if (!call) continue;
    const Id size = call->arguments.size() > 2 ? call->arguments[2] : items[i];
    if (!is_sequence(pickle, size) || !pickle.items(size).empty()) return true;
  }
  return false;
}

class Chooser {
 public:
  Chooser(const Pickle& pickle, Id root, const std::string& path)
      : pickle_(pickle), root_(root), path_(path) {}

  WeightsChoice follow(const std::string& key) {
    require(key.size() <= kMaxKeyBytes, "the key has ", key.size(), " bytes");
    if (!find(root_, key, 0)) {
      fail(ATA_INVALID_ARGUMENT, "'", path_, "' has nothing under the key '", shown(key),
           "' (--key); ", contents());
    }
    const Id weights = steps_.empty() ? root_ : steps_.back().value;
    if (!pickle_.is(weights, Kind::kDict)) {
      fail(ATA_INVALID_ARGUMENT, "'", path_, "' has ", describe(pickle_, weights),
           " under the key '", shown(key), "' (--key), not a dictionary of tensors");
    }
    return finish(weights);
  }

  WeightsChoice search() {
    if (!pickle_.is(root_, Kind::kDict) && !is_sequence(pickle_, root_)) {
      fail(ATA_BAD_MODEL, "'", path_, "' holds ", describe(pickle_, root_),
           ", not a dictionary of tensors; in Python, save the model's state_dict() with "
           "torch.save() or safetensors.torch.save_file() and import that");
    }
    std::vector<std::string> found = candidates(root_, "", 0);
    if (found.empty()) {
      for (const Entry& entry : entries_of(pickle_, root_)) {
        if (is_other_key(entry.key)) continue;
        for (std::string& key : candidates(entry.value, entry.key, 1)) {
          found.push_back(std::move(key));
        }
      }
    }
    if (found.empty()) {
      fail(ATA_BAD_MODEL, "'", path_, "' holds no weights where they usually are; ", contents(),
           "; say where they are (--key)");
    }
    if (found.size() > 1) {
      std::string list;
      for (size_t i = 0; i < std::min(found.size(), kMaxListed); ++i) {
        list += (i ? ", " : "") + shown(found[i]);
      }
      fail(ATA_INVALID_ARGUMENT, "'", path_,
           "' holds several sets of weights; say which (--key): ", list);
    }
    return follow(found.front());
  }

 private:
  struct Step {
    Id container;
    std::string key;
    Id value;
  };

  // The keys, from `prefix` on, of the dictionaries of tensors under the usual keys.
  std::vector<std::string> candidates(Id value, const std::string& prefix, int depth) {
    std::vector<std::string> found;
    if (!pickle_.is(value, Kind::kDict) || depth > kMaxDepth || !visited_.insert(value).second) {
      return found;
    }
    for (const Entry& entry : entries_of(pickle_, value)) {
      if (!is_weight_key(entry.key)) continue;
      const std::string key = prefix.empty() ? entry.key : concat(prefix, ".", entry.key);
      for (std::string& inner : candidates(entry.value, key, depth + 1)) {
        found.push_back(std::move(inner));
      }
    }
    if (found.empty() && holds_tensors(pickle_, value)) found.push_back(prefix);
    return found;
  }

  // Fills steps_ with the way from `value` along the rest of `key`. A key may hold dots itself.
  bool find(Id value, const std::string& key, size_t begin) {
    if (begin >= key.size()) return true;
    if (!tried_.emplace(value, begin).second) return false;
    const std::string_view rest = std::string_view(key).substr(begin);
    std::vector<Entry> entries = entries_of(pickle_, value);
    std::erase_if(entries, [&](const Entry& entry) {
      return entry.key.empty() || !rest.starts_with(entry.key) ||
             (rest.size() > entry.key.size() && rest[entry.key.size()] != '.');
    });
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.key.size() > b.key.size(); });
    for (const Entry& entry : entries) {
      steps_.push_back({value, entry.key, entry.value});
      if (find(entry.value, key, begin + entry.key.size() + 1)) return true;
      steps_.pop_back();
    }
    return false;
  }

  WeightsChoice finish(Id weights) const {
    WeightsChoice choice{weights, {}};
    size_t left_out = 0;
    const auto add = [&](const std::string& prefix, const Entry& entry) {
      if (choice.ignored.size() == kMaxLines) {
        ++left_out;
        return;
      }
      const std::string key = prefix.empty() ? entry.key : concat(prefix, ".", entry.key);
      choice.ignored.push_back(concat(shown(key), ": ", describe(pickle_, entry.value)));
    };
    std::string prefix;
    for (const Step& step : steps_) {
      for (const Entry& entry : entries_of(pickle_, step.container)) {
        if (entry.key != step.key) add(prefix, entry);
      }
      prefix = prefix.empty() ? step.key : concat(prefix, ".", step.key);
    }
    for (const Entry& entry : entries_of(pickle_, weights)) {
      if (!tensor_call(pickle_, entry.value)) add(prefix, entry);
    }
    if (left_out > 0) choice.ignored.push_back(concat("and ", left_out, " more"));
    return choice;
  }

  // What there is at the top, for an error.
  std::string contents() const {
    const std::vector<Entry> entries = entries_of(pickle_, root_);
    if (entries.empty()) return concat("it holds ", describe(pickle_, root_));
    std::string list = "it holds ";
    for (size_t i = 0; i < std::min(entries.size(), kMaxListed); ++i) {
      list += concat(i ? ", '" : "'", shown(entries[i].key), "' (",
                     describe(pickle_, entries[i].value), ")");
    }
    if (entries.size() > kMaxListed) list += concat(" and ", entries.size() - kMaxListed, " more");
    return list;
  }

  const Pickle& pickle_;
  const Id root_;
  const std::string& path_;
  std::vector<Step> steps_;
  // What candidates() and find() have looked at: containers may share and hold each other.
  std::unordered_set<Id> visited_;
  std::set<std::pair<Id, size_t>> tried_;
};

}  // namespace

std::optional<TensorCall> tensor_call(const Pickle& pickle, Id value) {
  Id callee = 0;
  Id arguments = 0;
  const auto open = [&](Id call) {
    if (!pickle.is(call, Kind::kCall) || pickle.has_state(call)) return false;
    callee = pickle.callee(call);
    arguments = pickle.argument(call);
    return true;
  };
  if (!open(value)) return std::nullopt;
  for (int i = 0; i < kMaxWrappers; ++i) {
    if (!pickle.is(callee, Kind::kGlobal) || !pickle.is(arguments, Kind::kTuple)) {
      return std::nullopt;
    }
    const std::string function = pickle.name(callee);
    const std::span<const Id> values = pickle.items(arguments);
    if (function == "torch._utils._rebuild_tensor" ||
        function == "torch._utils._rebuild_tensor_v2" ||
        function == "torch._utils._rebuild_tensor_v3") {
      return TensorCall{function, values};
    }
    if (function == "torch._utils._rebuild_parameter" ||
        function == "torch._utils._rebuild_parameter_with_state" ||
        function == "torch.nn.parameter.Parameter") {
      if (values.empty() || !open(values[0])) return std::nullopt;
    } else if (function == "torch._tensor._rebuild_from_type_v2") {
      // Attributes of a plain tensor; of a subclass, the class would say what the numbers mean.
      if (values.size() < 3 || !pickle.is(values[1], Kind::kGlobal)) return std::nullopt;
      const std::string type = pickle.name(values[1]);
      if (type != "torch.Tensor" && type != "torch._tensor.Tensor" &&
          type != "torch.nn.parameter.Parameter" && type != "torch.nn.parameter.Buffer") {
        return std::nullopt;
      }
      callee = values[0];
      arguments = values[2];
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::string type_name(const Pickle& pickle, Id value) {
  // Before PyTorch 1.6 a class of a whole model came with its source: ("module", class, ...).
  const Id type = pickle.callee(value);
  if (pickle.is(type, Kind::kPersistent)) {
    const Id identity = pickle.argument(type);
    if (pickle.is(identity, Kind::kTuple) && pickle.items(identity).size() > 1 &&
        pickle.is(pickle.items(identity)[1], Kind::kGlobal)) {
      return pickle.name(pickle.items(identity)[1]);
    }
  }
  return pickle.name(value);
}

std::string describe(const Pickle& pickle, Id value) {
  switch (pickle.kind(value)) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return pickle.integer(value) != 0 ? "True" : "False";
    case Kind::kInteger:
      return concat(pickle.integer(value));
    case Kind::kHugeInteger:
      return "a huge integer";
    case Kind::kFloat:
      return concat(pickle.number(value));
    case Kind::kString:
      if (pickle.text(value).size() > kMaxShown) {
        return concat("a text of ", pickle.text(value).size(), " bytes");
      }
      return concat("'", shown(pickle.text(value)), "'");
    case Kind::kBytes:
      return concat(pickle.text(value).size(), " bytes");
    case Kind::kTuple:
      return concat("a tuple of ", pickle.items(value).size());
    case Kind::kList:
      return concat("a list of ", pickle.items(value).size());
    case Kind::kDict:
      return concat("a dictionary of ", pickle.items(value).size() / 2);
    case Kind::kSet:
      return concat("a set of ", pickle.items(value).size());
    case Kind::kGlobal:
      return shown(pickle.name(value));
    case Kind::kInstance:
      return concat("an object of class ", shown(type_name(pickle, value)));
    case Kind::kCall:
      if (tensor_call(pickle, value)) return "a tensor";
      return concat("an object that ", shown(type_name(pickle, value)), " makes");
    case Kind::kPersistent:
      return "a storage";
  }
  fail(ATA_INTERNAL, "a pickle's value of no kind");
}

WeightsChoice choose_weights(const Pickle& pickle, Id root, const std::string& key,
                             const std::string& path) {
  Chooser chooser(pickle, root, path);
  return key.empty() ? chooser.search() : chooser.follow(key);
}

}  // namespace ata
