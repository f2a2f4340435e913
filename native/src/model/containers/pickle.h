#ifndef ATA_MODEL_CONTAINERS_PICKLE_H_
#define ATA_MODEL_CONTAINERS_PICKLE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace ata {

/// The values of Python pickles (protocols 0 to 5) as inert data. A pickle is a program that may
/// import and call anything; here an import is a name and a call is a node that says what would be
/// called. Only what merely builds a container (collections.OrderedDict, set, ...) becomes one.
///
/// Values are nodes of one arena, so shared and cyclic values cost nothing and nothing recurses.
/// Memory is bounded by the bytes read, at most kMaxBytes, and by kMaxValues.
class Pickle {
 public:
  using Id = uint32_t;
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInteger,
    /// An integer that 64 bits do not hold.
    kHugeInteger,
    kFloat,
    kString,
    kBytes,
    kTuple,
    kList,
    kDict,
    kSet,
    /// The name of something to import.
    kGlobal,
    /// An object of a class, built without a call of more than its constructor.
    kInstance,
    /// What a function would return.
    kCall,
    /// Something outside the pickle, by what identifies it.
    kPersistent,
  };

  static constexpr uint64_t kMaxBytes = 64 << 20;
  static constexpr uint32_t kMaxValues = 4'000'000;

  /// Reads from [begin, end) of `file`, which must outlive the object. Errors call it `origin`.
  Pickle(const InputFile& file, uint64_t begin, uint64_t end, std::string origin);

  /// Reads the next pickle; its value. Throws ATA_BAD_MODEL or ATA_IO_ERROR.
  Id load();
  /// Where the last pickle ended in the file.
  uint64_t position() const { return begin_ + at_; }

  size_t count() const { return nodes_.size(); }
  Kind kind(Id id) const { return nodes_[id].kind; }
  bool is(Id id, Kind expected) const { return kind(id) == expected; }
  /// Of kBool and kInteger.
  int64_t integer(Id id) const { return static_cast<int64_t>(nodes_[id].b); }
  /// Of kFloat.
  double number(Id id) const;
  /// Of kString and kBytes, and the digits (decimal) or bytes (little-endian) of kHugeInteger.
  /// Valid until the next load().
  std::string_view text(Id id) const;
  /// Of kTuple, kList and kSet the elements; of kDict keys and values in turn.
  std::span<const Id> items(Id id) const;
  /// Of kGlobal "module.name"; of kInstance and kCall the name of the class or function.
  std::string name(Id id) const;
  /// Of kInstance and kCall the arguments, often a tuple; of kPersistent the identity.
  Id argument(Id id) const { return static_cast<Id>(nodes_[id].b); }
  /// Of kCall and kInstance: the function or class, usually a kGlobal.
  Id callee(Id id) const { return static_cast<Id>(nodes_[id].b >> 32); }
  /// Of kCall: whether the pickle gives the result a state afterwards.
  bool has_state(Id id) const { return nodes_[id].flag; }

 private:
  struct Node {
    Kind kind;
    // kString, kBytes: whether the text is in decoded_ rather than in buffer_.
    bool flag = false;
    // Number of bytes or elements.
    uint32_t a = 0;
    // The value, the position of the bytes or elements, or two nodes.
    uint64_t b = 0;
  };

  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const;

  const char* take(uint64_t size);
  template <typename Number>
  Number take_number();
  std::string_view take_line();

  Id add(Kind kind, uint64_t b = 0, uint32_t a = 0, bool flag = false);
  Id add_container(Kind kind);
  Id add_text(Kind kind, uint64_t size);
  Id add_decoded(Kind kind, std::string text);
  Id add_long(uint64_t size);
  Id add_tuple(size_t first);
  Id add_global(Id module, Id name);
  void count_value();

  void push(Id id);
  Id pop();
  Id top() const;
  size_t pop_mark();
  void remember(uint64_t index);
  void recall(uint64_t index);

  void step(uint8_t opcode);
  void read_integer_line();
  void read_long_line();
  void read_float_line();
  void read_string_line();
  void read_unicode_line();
  void append(Id target, std::span<const Id> values);
  void set_items(Id target, std::span<const Id> values);
  void reduce();
  void instantiate(Id type, Id arguments);
  void build();
  std::vector<Id>& container(Id id) { return containers_[nodes_[id].b]; }
  std::span<const Id> above(size_t first) const;

  const InputFile& file_;
  const uint64_t begin_;
  const uint64_t end_;
  const std::string origin_;
  std::string buffer_;
  uint64_t at_ = 0;
  // Text that the pickle holds escaped.
  std::string decoded_;
  std::vector<Node> nodes_;
  std::vector<Id> tuples_;
  std::vector<std::vector<Id>> containers_;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Id> memo_;
  uint32_t values_ = 0;
};

template <typename... Args>
void Pickle::bad(const Args&... args) const {
  fail(ATA_BAD_MODEL, origin_, " is damaged: its pickle ", args..., " (near byte ", position(),
       ")");
}

}  // namespace ata

#endif  // ATA_MODEL_CONTAINERS_PICKLE_H_
