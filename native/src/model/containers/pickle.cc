#include "model/containers/pickle.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "model/containers/pickle_opcodes.h"

namespace ata {
namespace {

// How much of the file is read at a time.
constexpr uint64_t kChunk = 64 << 10;
// Longer than any name of Python's; names are compared often.
constexpr size_t kMaxNameBytes = 512;

bool is_builtin(const std::string& name, std::string_view type) {
  const std::string_view view = name;
  return (view.starts_with("builtins.") && view.substr(9) == type) ||
         (view.starts_with("__builtin__.") && view.substr(12) == type);
}

}  // namespace

Pickle::Pickle(const InputFile& file, uint64_t begin, uint64_t end, std::string origin)
    : file_(file), begin_(begin), end_(end), origin_(std::move(origin)) {}

Pickle::Id Pickle::load() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  for (;;) {
    const uint8_t opcode = static_cast<uint8_t>(*take(1));
    if (opcode == kStop) break;
    step(opcode);
  }
  const Id result = pop();
  if (!stack_.empty() || !marks_.empty()) bad("ends with values left over");
  return result;
}

// The next bytes; valid until the next take.
const char* Pickle::take(uint64_t size) {
  if (size > end_ - begin_ - at_) bad("ends early; the file is truncated");
  const uint64_t needed = at_ + size;
  if (needed > kMaxBytes) {
    fail(ATA_BAD_MODEL, origin_, " has a pickle of more than ", kMaxBytes >> 20,
         " MiB, which is data and not weights; save the model's state_dict() alone");
  }
  if (needed > buffer_.size()) {
    const uint64_t old_size = buffer_.size();
    const uint64_t new_size = std::min(std::max(needed, old_size + kChunk), end_ - begin_);
    buffer_.resize(static_cast<size_t>(new_size));
    file_.read(begin_ + old_size, buffer_.data() + old_size,
               static_cast<size_t>(new_size - old_size));
  }
  const char* const data = buffer_.data() + at_;
  at_ = needed;
  return data;
}

template <typename Number>
Number Pickle::take_number() {
  const char* const data = take(sizeof(Number));
  Number value = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    value = static_cast<Number>(
        value | static_cast<Number>(static_cast<Number>(static_cast<uint8_t>(data[i])) << (8 * i)));
  }
  return value;
}

// Up to the next end of line, without it; valid until the next take.
std::string_view Pickle::take_line() {
  const uint64_t first = at_;
  while (*take(1) != '\n') {
  }
  return std::string_view(buffer_).substr(first, at_ - first - 1);
}

void Pickle::count_value() {
  if (++values_ > kMaxValues) {
    fail(ATA_BAD_MODEL, origin_, " holds more than ", kMaxValues,
         " values beside its tensors; save the model's state_dict() alone");
  }
}

Pickle::Id Pickle::add(Kind kind, uint64_t b, uint32_t a, bool flag) {
  count_value();
  nodes_.push_back({kind, flag, a, b});
  return static_cast<Id>(nodes_.size() - 1);
}

Pickle::Id Pickle::add_container(Kind kind) {
  containers_.emplace_back();
  return add(kind, containers_.size() - 1);
}

Pickle::Id Pickle::add_text(Kind kind, uint64_t size) {
  take(size);
  return add(kind, at_ - size, static_cast<uint32_t>(size));
}

Pickle::Id Pickle::add_decoded(Kind kind, std::string text) {
  const uint64_t first = decoded_.size();
  decoded_ += text;
  return add(kind, first, static_cast<uint32_t>(text.size()), true);
}

// Two's complement, little-endian.
Pickle::Id Pickle::add_long(uint64_t size) {
  if (size > sizeof(int64_t)) return add_text(Kind::kHugeInteger, size);
  const char* const data = take(size);
  uint64_t value = size > 0 && (data[size - 1] & 0x80) != 0 ? UINT64_MAX : 0;
  for (uint64_t i = size; i-- > 0;) value = (value << 8) | static_cast<uint8_t>(data[i]);
  return add(Kind::kInteger, value);
}

// Of the stack from `first` on, which is removed.
Pickle::Id Pickle::add_tuple(size_t first) {
  const uint64_t begin = tuples_.size();
  const std::span<const Id> values = above(first);
  tuples_.insert(tuples_.end(), values.begin(), values.end());
  stack_.resize(first);
  return add(Kind::kTuple, begin, static_cast<uint32_t>(tuples_.size() - begin));
}

Pickle::Id Pickle::add_global(Id module, Id name) {
  for (const Id id : {module, name}) {
    if (!is(id, Kind::kString)) bad("names something to import by what is not a string");
    if (nodes_[id].a > kMaxNameBytes) bad("has a name of ", nodes_[id].a, " bytes");
  }
  return add(Kind::kGlobal, static_cast<uint64_t>(module) << 32 | name);
}

double Pickle::number(Id id) const {
  return std::bit_cast<double>(nodes_[id].b);
}

std::string_view Pickle::text(Id id) const {
  const Node& node = nodes_[id];
  return std::string_view(node.flag ? decoded_ : buffer_).substr(node.b, node.a);
}

std::span<const Pickle::Id> Pickle::items(Id id) const {
  const Node& node = nodes_[id];
  if (node.kind == Kind::kTuple) return std::span(tuples_).subspan(node.b, node.a);
  return containers_[node.b];
}

std::string Pickle::name(Id id) const {
  if (is(id, Kind::kGlobal)) {
    const uint64_t parts = nodes_[id].b;
    return concat(text(static_cast<Id>(parts >> 32)), ".", text(static_cast<Id>(parts)));
  }
  const Id origin = callee(id);
  return is(origin, Kind::kGlobal) ? name(origin) : "what another call returns";
}

std::span<const Pickle::Id> Pickle::above(size_t first) const {
  return std::span(stack_).subspan(first);
}

void Pickle::push(Id id) {
  stack_.push_back(id);
}

Pickle::Id Pickle::top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) bad("takes a value that is not there");
  return stack_.back();
}

Pickle::Id Pickle::pop() {
  const Id id = top();
  stack_.pop_back();
  return id;
}

// The size of the stack at the last mark, which is removed.
size_t Pickle::pop_mark() {
  if (marks_.empty()) bad("lacks a mark");
  const size_t size = marks_.back();
  marks_.pop_back();
  return size;
}

void Pickle::remember(uint64_t index) {
  if (index > UINT32_MAX) bad("keeps a value under a huge number");
  count_value();
  memo_[static_cast<uint32_t>(index)] = top();
}

void Pickle::recall(uint64_t index) {
  const auto found = index > UINT32_MAX ? memo_.end() : memo_.find(static_cast<uint32_t>(index));
  if (found == memo_.end()) bad("refers to value ", index, ", which it does not have");
  count_value();
  push(found->second);
}

void Pickle::step(uint8_t opcode) {
  switch (opcode) {
    case kProto: {
      const int version = take_number<uint8_t>();
      if (version > 5) bad("has protocol ", version, "; those up to 5 are known");
      return;
    }
    case kFrame:
      take_number<uint64_t>();
      return;

    case kNoneValue:
      return push(add(Kind::kNone));
    case kNewTrue:
      return push(add(Kind::kBool, 1));
    case kNewFalse:
      return push(add(Kind::kBool, 0));
    case kBinInt: {
      const int32_t value = static_cast<int32_t>(take_number<uint32_t>());
      return push(add(Kind::kInteger, static_cast<uint64_t>(static_cast<int64_t>(value))));
    }
    case kBinInt1:
      return push(add(Kind::kInteger, take_number<uint8_t>()));
    case kBinInt2:
      return push(add(Kind::kInteger, take_number<uint16_t>()));
    case kLong1:
      return push(add_long(take_number<uint8_t>()));
    case kLong4:
      return push(add_long(take_number<uint32_t>()));
    case kIntLine:
      return read_integer_line();
    case kLongLine:
      return read_long_line();
    case kFloatLine:
      return read_float_line();
    case kBinFloat: {
      // The only number that is stored with its highest byte first.
      uint64_t bits = 0;
      const char* const data = take(sizeof(bits));
      for (size_t i = 0; i < sizeof(bits); ++i) bits = bits << 8 | static_cast<uint8_t>(data[i]);
      return push(add(Kind::kFloat, bits));
    }

    // Python 2's strings, which names are in old files.
    case kBinString:
      return push(add_text(Kind::kString, take_number<uint32_t>()));
    case kShortBinString:
    case kShortBinUnicode:
      return push(add_text(Kind::kString, take_number<uint8_t>()));
    case kBinUnicode:
      return push(add_text(Kind::kString, take_number<uint32_t>()));
    case kBinUnicode8:
      return push(add_text(Kind::kString, take_number<uint64_t>()));
    case kStringLine:
      return read_string_line();
    case kUnicodeLine:
      return read_unicode_line();
    case kShortBinBytes:
      return push(add_text(Kind::kBytes, take_number<uint8_t>()));
    case kBinBytes:
      return push(add_text(Kind::kBytes, take_number<uint32_t>()));
    case kBinBytes8:
    case kByteArray8:
      return push(add_text(Kind::kBytes, take_number<uint64_t>()));

    case kMark:
      count_value();
      marks_.push_back(stack_.size());
      return;
    case kPop:
      // A mark can be popped too.
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return;
    case kPopMark:
      stack_.resize(pop_mark());
      return;
    case kDup:
      count_value();
      return push(top());

    case kEmptyTuple:
      return push(add_tuple(stack_.size()));
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      const size_t size = opcode - kTuple1 + size_t{1};
      if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < size) {
        bad("takes a value that is not there");
      }
      return push(add_tuple(stack_.size() - size));
    }
    case kTupleFromMark:
      return push(add_tuple(pop_mark()));
    case kEmptyList:
      return push(add_container(Kind::kList));
    case kEmptyDict:
      return push(add_container(Kind::kDict));
    case kEmptySet:
      return push(add_container(Kind::kSet));
    case kListFromMark:
    case kDictFromMark:
    case kFrozenSet: {
      const Id id = add_container(opcode == kListFromMark   ? Kind::kList
                                  : opcode == kDictFromMark ? Kind::kDict
                                                            : Kind::kSet);
      const size_t first = pop_mark();
      if (opcode == kDictFromMark) {
        set_items(id, above(first));
      } else {
        append(id, above(first));
      }
      stack_.resize(first);
      return push(id);
    }
    case kAppend: {
      const Id value = pop();
      return append(top(), {&value, 1});
    }
    case kAppends:
    case kAddItems:
    case kSetItems: {
      const size_t first = pop_mark();
      if (first == 0) bad("adds to a container that is not there");
      const Id target = stack_[first - 1];
      if (opcode == kSetItems) {
        set_items(target, above(first));
      } else {
        append(target, above(first));
      }
      stack_.resize(first);
      return;
    }
    case kSetItem: {
      const Id value = pop();
      const Id pair[] = {pop(), value};
      return set_items(top(), pair);
    }

    case kGlobalLine:
    case kInst: {
      const uint64_t module_begin = at_;
      const size_t module_size = take_line().size();
      const Id module = add(Kind::kString, module_begin, static_cast<uint32_t>(module_size));
      const uint64_t name_begin = at_;
      const size_t name_size = take_line().size();
      const Id name = add(Kind::kString, name_begin, static_cast<uint32_t>(name_size));
      const Id type = add_global(module, name);
      if (opcode == kGlobalLine) return push(type);
      return instantiate(type, add_tuple(pop_mark()));
    }
    case kStackGlobal: {
      const Id name = pop();
      return push(add_global(pop(), name));
    }
    case kObj: {
      const size_t first = pop_mark();
      if (first == stack_.size()) bad("makes an object of no class");
      const Id arguments = add_tuple(first + 1);
      return instantiate(pop(), arguments);
    }
    case kNewObj: {
      const Id arguments = pop();
      return instantiate(pop(), arguments);
    }
    case kNewObjEx: {
      pop();
      const Id arguments = pop();
      return instantiate(pop(), arguments);
    }
    case kReduce:
      return reduce();
    case kBuild:
      return build();
    case kPersId: {
      const uint64_t first = at_;
      const size_t size = take_line().size();
      return push(add(Kind::kPersistent, add(Kind::kString, first, static_cast<uint32_t>(size))));
    }
    case kBinPersId:
      return push(add(Kind::kPersistent, pop()));

    case kPutLine:
    case kGetLine: {
      const std::string_view line = take_line();
      uint32_t index = 0;
      const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), index);
      if (error != std::errc() || rest != line.data() + line.size()) {
        bad("keeps a value under what is not a number");
      }
      return opcode == kPutLine ? remember(index) : recall(index);
    }
    case kBinPut:
      return remember(take_number<uint8_t>());
    case kLongBinPut:
      return remember(take_number<uint32_t>());
    case kMemoize:
      return remember(memo_.size());
    case kBinGet:
      return recall(take_number<uint8_t>());
    case kLongBinGet:
      return recall(take_number<uint32_t>());

    default:
      bad("has the opcode ", static_cast<int>(opcode), ", which torch.save() does not write");
  }
}

// What is added to an object of some class is dropped with it.
void Pickle::append(Id target, std::span<const Id> values) {
  const Kind type = kind(target);
  if (type == Kind::kInstance || type == Kind::kCall) return;
  if (type != Kind::kList && type != Kind::kSet) bad("adds to what is neither a list nor a set");
  std::vector<Id>& items = container(target);
  items.insert(items.end(), values.begin(), values.end());
}

void Pickle::set_items(Id target, std::span<const Id> values) {
  const Kind type = kind(target);
  if (values.size() % 2 != 0) bad("has a key without a value");
  if (type == Kind::kInstance || type == Kind::kCall) return;
  if (type != Kind::kDict) bad("adds entries to what is not a dictionary");
  std::vector<Id>& items = container(target);
  items.insert(items.end(), values.begin(), values.end());
}

void Pickle::reduce() {
  const Id arguments = pop();
  const Id callee = pop();
  if (!is(arguments, Kind::kTuple)) bad("calls something with what is not a tuple");
  if (is(callee, Kind::kGlobal)) {
    const std::string function = name(callee);
    const std::span<const Id> values = items(arguments);
    if (function == "copyreg._reconstructor" || function == "copy_reg._reconstructor" ||
        function == "copyreg.__newobj__" || function == "copy_reg.__newobj__") {
      if (values.empty()) bad("makes an object of no class");
      return instantiate(values[0], arguments);
    }
    const bool is_dict = function == "collections.OrderedDict" || is_builtin(function, "dict");
    const bool is_list = is_builtin(function, "list");
    const bool is_tuple = is_builtin(function, "tuple") || function == "torch.Size";
    const bool is_set = is_builtin(function, "set") || is_builtin(function, "frozenset");
    if (function == "collections.defaultdict") return push(add_container(Kind::kDict));
    if (is_dict || is_list || is_tuple || is_set) {
      const bool has_items =
          values.size() == 1 && (is(values[0], Kind::kList) || is(values[0], Kind::kTuple));
      if (!values.empty() && !has_items)
        bad("builds a container of what is neither list nor tuple");
      // A copy costs a few bytes of the pickle however long it is, so its elements count.
      const std::span<const Id> given = has_items ? items(values[0]) : std::span<const Id>();
      for (size_t i = 0; i < given.size(); ++i) count_value();
      std::vector<Id> copy;
      for (const Id value : given) {
        if (!is_dict) {
          copy.push_back(value);
          continue;
        }
        if ((!is(value, Kind::kList) && !is(value, Kind::kTuple)) || items(value).size() != 2) {
          bad("builds a dictionary of what are not pairs");
        }
        copy.insert(copy.end(), items(value).begin(), items(value).end());
      }
      if (is_tuple) {
        const size_t first = stack_.size();
        stack_.insert(stack_.end(), copy.begin(), copy.end());
        return push(add_tuple(first));
      }
      const Id result = add_container(is_dict ? Kind::kDict : is_list ? Kind::kList : Kind::kSet);
      container(result) = std::move(copy);
      return push(result);
    }
  }
  push(add(Kind::kCall, static_cast<uint64_t>(callee) << 32 | arguments));
}

void Pickle::instantiate(Id type, Id arguments) {
  if (is(type, Kind::kGlobal)) {
    const std::string function = name(type);
    if (function == "collections.OrderedDict" || function == "collections.defaultdict") {
      return push(add_container(Kind::kDict));
    }
  }
  push(add(Kind::kInstance, static_cast<uint64_t>(type) << 32 | arguments));
}

// An object's state is dropped; a state_dict()'s only holds versions.
void Pickle::build() {
  pop();
  const Id target = top();
  const Kind type = kind(target);
  if (type == Kind::kCall) {
    nodes_[target].flag = true;
  } else if (type != Kind::kInstance && type != Kind::kDict) {
    bad("gives a state to what is not an object");
  }
}

}  // namespace ata
