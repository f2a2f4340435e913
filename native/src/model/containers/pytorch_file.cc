#include "model/containers/pytorch_file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "model/containers/element_types.h"
#include "model/containers/pickle.h"
#include "model/containers/pytorch_values.h"
#include "model/containers/zip_archive.h"

namespace ata {
namespace {

using Id = Pickle::Id;
using Kind = Pickle::Kind;

// torch.serialization's PROTOCOL_VERSION, of the format before 1.6.
constexpr int64_t kLegacyProtocol = 1001;
constexpr size_t kMaxRank = 64;
// A tensor that repeats its elements (an expanded view) may be larger than the file; this many
// elements, or as many as the file has bytes, are believed.
constexpr uint64_t kMaxRepeated = 16 << 20;

// A storage's bytes in the file.
struct Range {
  uint64_t begin = 0;
  uint64_t size = 0;
  bool big_endian = false;
};

// What identifies a storage in the pickle.
struct StorageReference {
  // The element type; "" for bytes whose type the tensor says.
  std::string type;
  std::string key;
  uint64_t elements = 0;
  // The part of it that is meant, in elements; views of storages are in very old files.
  uint64_t view_begin = 0;
  uint64_t view_elements = 0;
};

// The element type of a storage's class; null if it is none that is known.
const std::string* storage_type(const std::string& name) {
  static const std::map<std::string, std::string> types = {
      {"DoubleStorage", "F64"},    {"FloatStorage", "F32"},        {"HalfStorage", "F16"},
      {"BFloat16Storage", "BF16"}, {"LongStorage", "I64"},         {"IntStorage", "I32"},
      {"ShortStorage", "I16"},     {"CharStorage", "I8"},          {"ByteStorage", "U8"},
      {"BoolStorage", "BOOL"},     {"ComplexFloatStorage", "C64"}, {"ComplexDoubleStorage", "C128"},
      {"UntypedStorage", ""},      {"_UntypedStorage", ""}};
  std::string_view type = name;
  for (const std::string_view module : {"torch.cuda.", "torch.storage.", "torch."}) {
    if (type.starts_with(module)) {
      type.remove_prefix(module.size());
      break;
    }
  }
  const auto found = types.find(std::string(type));
  return found == types.end() || type.size() == name.size() ? nullptr : &found->second;
}

// The element type of a torch.dtype; null if it is none that is known.
const std::string* dtype_type(const std::string& name) {
  static const std::map<std::string, std::string> types = {{"torch.float64", "F64"},
                                                           {"torch.float32", "F32"},
                                                           {"torch.float16", "F16"},
                                                           {"torch.bfloat16", "BF16"},
                                                           {"torch.int64", "I64"},
                                                           {"torch.int32", "I32"},
                                                           {"torch.int16", "I16"},
                                                           {"torch.int8", "I8"},
                                                           {"torch.uint8", "U8"},
                                                           {"torch.uint16", "U16"},
                                                           {"torch.uint32", "U32"},
                                                           {"torch.uint64", "U64"},
                                                           {"torch.bool", "BOOL"},
                                                           {"torch.complex64", "C64"},
                                                           {"torch.complex128", "C128"},
                                                           {"torch.float8_e5m2", "F8_E5M2"},
                                                           {"torch.float8_e4m3fn", "F8_E4M3"}};
  const auto found = types.find(name);
  return found == types.end() ? nullptr : &found->second;
}

bool is_valid_name(const std::string& name) {
  if (name.empty() || name.find('\0') != name.npos) return false;
  try {
    nlohmann::json(name).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// Row-major without gaps.
bool is_contiguous(const std::vector<int64_t>& dims, const std::vector<int64_t>& strides) {
  int64_t expected = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (dims[axis] != 1 && strides[axis] != expected) return false;
    expected *= dims[axis];
  }
  return true;
}

// Calls `visit` with the position of every element of a view, in row-major order.
template <typename Visit>
void for_each_element(const std::vector<int64_t>& dims, const std::vector<int64_t>& strides,
                      uint64_t count, const Visit& visit) {
  std::vector<int64_t> index(dims.size(), 0);
  int64_t position = 0;
  for (uint64_t i = 0; i < count; ++i) {
    visit(static_cast<size_t>(position));
    for (size_t axis = dims.size(); axis-- > 0;) {
      position += strides[axis];
      if (++index[axis] < dims[axis]) break;
      position -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

// Reads what is beside the numbers: the pickle, and where each storage is.
class PyTorchFile::Reader {
 public:
  Reader(PyTorchFile* target, const std::string& key)
      : target_(target), file_(target->file_), key_(key), origin_(concat("'", file_.path(), "'")) {}

  void read_zip() {
    const ZipArchive archive = open_archive();
    std::string folder;
    const ZipArchive::Entry* data = nullptr;
    for (const ZipArchive::Entry& entry : archive.entries()) {
      const size_t slash = entry.name.find('/');
      if (slash == std::string::npos || entry.name.substr(slash) != "/data.pkl") continue;
      if (data != nullptr) bad("it holds two pickles of PyTorch");
      folder = entry.name.substr(0, slash + 1);
      data = &entry;
    }
    if (data == nullptr) bad("it holds no data.pkl");
    require_stored(*data);
    const bool big_endian = is_big_endian(archive.find(folder + "byteorder"));
    locate_ = [&archive, folder, big_endian, this](const std::string& storage) {
      const ZipArchive::Entry* entry = archive.find(concat(folder, "data/", storage));
      if (entry == nullptr) bad("the storage '", shown(storage), "' is missing");
      require_stored(*entry);
      return Range{entry->begin, entry->size, big_endian};
    };
    Pickle pickle(file_, data->begin, data->begin + data->size, origin_);
    read_weights(pickle, pickle.load());
  }

  void read_legacy() {
    Pickle pickle(file_, 0, file_.size(), origin_);
    pickle.load();  // The magic number by which the file was recognised.
    const Id version = pickle.load();
    if (!pickle.is(version, Kind::kInteger) || pickle.integer(version) != kLegacyProtocol) {
      bad("its format's version is ", describe(pickle, version), "; ", kLegacyProtocol,
          " is known");
    }
    pickle.load();  // The sizes of C's types on the machine that wrote it; none is used.
    const Id root = pickle.load();
    const std::map<std::string, Range> storages = place_storages(&pickle);
    locate_ = [&storages, this](const std::string& storage) {
      const auto found = storages.find(storage);
      if (found == storages.end()) bad("the storage '", shown(storage), "' is missing");
      return found->second;
    };
    read_weights(pickle, root);
    if (rest_ > 0) target_->ignored_.push_back(concat(rest_, " bytes behind the last storage"));
  }

 private:
  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(ATA_BAD_MODEL, origin_, " is not a valid file of PyTorch: ", args...);
  }

  template <typename... Args>
  [[noreturn]] void bad_tensor(const std::string& name, const Args&... args) const {
    fail(ATA_BAD_MODEL, origin_, ": tensor '", shown(name), "' ", args...);
  }

  ZipArchive open_archive() const {
    try {
      return ZipArchive(file_);
    } catch (const Error& error) {
      if (error.status() != ATA_BAD_MODEL) throw;
      bad(error.what());
    }
  }

  void require_stored(const ZipArchive::Entry& entry) const {
    if (!entry.stored) {
      bad("'", shown(entry.name),
          "' is compressed or encrypted, which torch.save() does not do; unpack the archive and "
          "pack it without compression");
    }
  }

  bool is_big_endian(const ZipArchive::Entry* entry) const {
    if (entry == nullptr) return false;
    require_stored(*entry);
    std::string order(static_cast<size_t>(std::min<uint64_t>(entry->size, 16)), '\0');
    file_.read(entry->begin, order.data(), order.size());
    if (order != "little" && order != "big") bad("its byte order is '", shown(order), "'");
    return order == "big";
  }

  // A number of elements or an extent.
  int64_t natural(const Pickle& pickle, Id id) const {
    if (!pickle.is(id, Kind::kInteger) || pickle.integer(id) < 0) {
      bad("where a size belongs it has ", describe(pickle, id));
    }
    return pickle.integer(id);
  }

  // Storages' keys are text, in very old files numbers.
  std::string storage_key(const Pickle& pickle, Id id) const {
    if (pickle.is(id, Kind::kString)) return std::string(pickle.text(id));
    if (pickle.is(id, Kind::kInteger)) return std::to_string(pickle.integer(id));
    bad("a storage is identified by ", describe(pickle, id));
  }

  // ("storage", class, key, device, elements[, (key of the view, first element, elements)])
  StorageReference storage_reference(const Pickle& pickle, Id id) const {
    const Id identity = pickle.argument(id);
    const bool is_tuple = pickle.is(identity, Kind::kTuple);
    const std::span<const Id> fields = is_tuple ? pickle.items(identity) : std::span<const Id>();
    if (fields.size() < 5 || !pickle.is(fields[0], Kind::kString) ||
        pickle.text(fields[0]) != "storage" || !pickle.is(fields[1], Kind::kGlobal)) {
      bad("it refers to something outside its pickle that is not a storage");
    }
    const std::string* type = storage_type(pickle.name(fields[1]));
    if (type == nullptr) {
      bad("it has a storage of class '", shown(pickle.name(fields[1])), "', which is not known");
    }
    StorageReference result;
    result.type = *type;
    result.key = storage_key(pickle, fields[2]);
    result.elements = static_cast<uint64_t>(natural(pickle, fields[4]));
    result.view_elements = result.elements;
    if (fields.size() > 5 && !pickle.is(fields[5], Kind::kNone)) {
      const bool is_view =
          pickle.is(fields[5], Kind::kTuple) && pickle.items(fields[5]).size() == 3;
      if (!is_view) bad("it has a view of a storage that is none");
      result.view_begin = static_cast<uint64_t>(natural(pickle, pickle.items(fields[5])[1]));
      result.view_elements = static_cast<uint64_t>(natural(pickle, pickle.items(fields[5])[2]));
      if (result.view_begin > result.elements ||
          result.view_elements > result.elements - result.view_begin) {
        bad("it has a view that is larger than its storage");
      }
    }
    return result;
  }

  static uint64_t bytes_of_element(const std::string& type) {
    return type.empty() ? 1 : element_size(type);
  }

  // Before PyTorch 1.6 the storages follow one another behind the pickles, in the order of a list
  // of keys, each behind its number of elements.
  std::map<std::string, Range> place_storages(Pickle* pickle) {
    std::map<std::string, StorageReference> references;
    for (Id id = 0; id < pickle->count(); ++id) {
      if (!pickle->is(id, Kind::kPersistent)) continue;
      // Files of whole models refer to the source of their classes too.
      const Id identity = pickle->argument(id);
      if (pickle->is(identity, Kind::kTuple) && !pickle->items(identity).empty() &&
          pickle->is(pickle->items(identity)[0], Kind::kString) &&
          pickle->text(pickle->items(identity)[0]) == "module") {
        continue;
      }
      StorageReference reference = storage_reference(*pickle, id);
      references.emplace(reference.key, reference);
    }
    const Id keys = pickle->load();
    if (!pickle->is(keys, Kind::kList)) bad("it has no list of storages");
    std::map<std::string, Range> result;
    uint64_t at = pickle->position();
    for (const Id id : pickle->items(keys)) {
      const std::string key = storage_key(*pickle, id);
      const auto found = references.find(key);
      if (found == references.end()) bad("no tensor has the storage '", shown(key), "'");
      if (result.count(key) != 0) bad("it has the storage '", shown(key), "' twice");
      uint64_t elements = 0;
      if (file_.size() - at < sizeof(elements)) bad("it is truncated: a storage is missing");
      uint8_t stored[sizeof(elements)];
      file_.read(at, stored, sizeof(stored));
      for (size_t i = sizeof(stored); i-- > 0;) elements = elements << 8 | stored[i];
      at += sizeof(elements);
      if (elements != found->second.elements) {
        bad("the storage '", shown(key), "' has ", elements, " elements, not ",
            found->second.elements);
      }
      uint64_t bytes = 0;
      if (!multiply(elements, bytes_of_element(found->second.type), &bytes) ||
          bytes > file_.size() - at) {
        bad("it is truncated: the storage '", shown(key), "' of ", elements,
            " elements ends behind the file's end");
      }
      result.emplace(key, Range{at, bytes, false});
      at += bytes;
    }
    rest_ = file_.size() - at;
    return result;
  }

  void read_weights(const Pickle& pickle, Id root) {
    WeightsChoice choice = choose_weights(pickle, root, key_, file_.path());
    const std::span<const Id> items = pickle.items(choice.weights);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const Id value = items[i + 1];
      const std::optional<TensorCall> call = tensor_call(pickle, value);
      const bool has_name = pickle.is(items[i], Kind::kString);
      const std::string name(has_name ? pickle.text(items[i]) : std::string_view());
      if (!call) {
        if (has_name) require_inert(pickle, value, name);
        continue;
      }
      if (!has_name || !is_valid_name(name)) {
        bad("a tensor's name is ", has_name ? "empty or not valid UTF-8" : "not a text");
      }
      if (!target_->index_.emplace(name, target_->tensors_.size()).second) {
        bad("tensor '", shown(name), "' appears twice");
      }
      target_->tensors_.push_back(read_tensor(pickle, *call, name));
    }
    if (target_->tensors_.empty()) {
      fail(ATA_INVALID_ARGUMENT, origin_, " has no tensors under the key '", shown(key_),
           "' (--key), but ", describe(pickle, choice.weights));
    }
    target_->ignored_ = std::move(choice.ignored);
  }

  // Refuses what stands among the weights and would have to be run to know what it is.
  void require_inert(const Pickle& pickle, Id value, const std::string& name) const {
    const bool is_call = pickle.is(value, Kind::kCall);
    if (!is_call && !pickle.is(value, Kind::kInstance)) return;
    const std::string type = type_name(pickle, value);
    const std::string_view view = type;
    if (is_call) {
      for (const std::string_view harmless :
           {"torch.device", "numpy.dtype", "numpy.core.multiarray.scalar",
            "numpy._core.multiarray.scalar", "datetime.", "pathlib."}) {
        if (view.starts_with(harmless)) return;
      }
    } else if (!view.starts_with("torch.") && !view.starts_with("numpy.")) {
      return;
    }
    bad_tensor(name, "would need '", shown(refused_name(pickle, value)),
               "' called, but nothing is called that a file names; in Python, save the model's "
               "state_dict() as plain tensors");
  }

  // The innermost of a tensor's wrappers, which is what cannot be done without.
  static std::string refused_name(const Pickle& pickle, Id value) {
    std::string function = type_name(pickle, value);
    for (int i = 0; i < kMaxWrappers && pickle.is(value, Kind::kCall); ++i) {
      const std::span<const Id> values = pickle.items(pickle.argument(value));
      if (function == "torch._tensor._rebuild_from_type_v2" && values.size() > 1 &&
          pickle.is(values[1], Kind::kGlobal)) {
        return pickle.name(values[1]);
      }
      const bool is_parameter = function.starts_with("torch._utils._rebuild_parameter") ||
                                function == "torch.nn.parameter.Parameter";
      if (!is_parameter || values.empty() || !pickle.is(values[0], Kind::kCall)) break;
      value = values[0];
      function = type_name(pickle, value);
    }
    // A tensor's own call is refused only where a state is given to it.
    return function.starts_with("torch._utils._rebuild_tensor") ? "torch.Tensor.__setstate__"
                                                                : function;
  }

  std::vector<int64_t> extents(const Pickle& pickle, Id id) const {
    if (!pickle.is(id, Kind::kTuple) && !pickle.is(id, Kind::kList)) {
      bad("where a tensor's extents belong it has ", describe(pickle, id));
    }
    std::vector<int64_t> result;
    if (pickle.items(id).size() > kMaxRank) bad("a tensor has ", pickle.items(id).size(), " axes");
    for (const Id item : pickle.items(id)) result.push_back(natural(pickle, item));
    return result;
  }

  // (storage, offset, size, stride, requires_grad, hooks[, dtype][, metadata]); version 3 has a
  // type of its own over bytes.
  StoredTensor read_tensor(const Pickle& pickle, const TensorCall& call,
                           const std::string& name) const {
    const std::span<const Id> arguments = call.arguments;
    const bool has_type = call.function.ends_with("_v3");
    if (arguments.size() < (has_type ? 7 : 4) || !pickle.is(arguments[0], Kind::kPersistent)) {
      bad_tensor(name, "has no storage");
    }
    const size_t metadata = has_type ? 7 : 6;
    if (arguments.size() > metadata && pickle.is(arguments[metadata], Kind::kDict) &&
        !pickle.items(arguments[metadata]).empty()) {
      bad_tensor(name, "is a negated or conjugated view; save its clone()");
    }
    const StorageReference reference = storage_reference(pickle, arguments[0]);
    StoredTensor tensor;
    tensor.name = name;
    tensor.type = reference.type;
    if (has_type) {
      const bool is_global = pickle.is(arguments[6], Kind::kGlobal);
      const std::string* type = is_global ? dtype_type(pickle.name(arguments[6])) : nullptr;
      if (type == nullptr) {
        bad_tensor(name, "has an element type that is not known, ", describe(pickle, arguments[6]));
      }
      tensor.type = *type;
    } else if (tensor.type.empty()) {
      bad_tensor(name, "has no element type");
    }
    tensor.dims = extents(pickle, arguments[2]);
    tensor.strides = extents(pickle, arguments[3]);
    if (tensor.dims.size() != tensor.strides.size()) {
      bad_tensor(name, "has ", tensor.dims.size(), " extents and ", tensor.strides.size(),
                 " strides");
    }

    const Range range = locate_(reference.key);
    const uint64_t storage_element = bytes_of_element(reference.type);
    uint64_t claimed = 0;
    if (!multiply(reference.elements, storage_element, &claimed) || claimed > range.size) {
      bad_tensor(name, "has a storage of ", reference.elements, " elements, but the file holds ",
                 range.size, " bytes of it");
    }
    // In elements of the tensor's type from here on.
    const uint64_t element = element_size(tensor.type);
    const uint64_t available = reference.view_elements * storage_element / element;
    const uint64_t offset = static_cast<uint64_t>(natural(pickle, arguments[1]));
    tensor.extent = view_extent(tensor);
    if (tensor.extent > 0 && (offset > available || tensor.extent > available - offset)) {
      bad_tensor(name, "of shape ", dims_to_string(tensor.dims), " reaches beyond its storage of ",
                 available, " elements");
    }
    if (tensor.extent > 0) {
      tensor.begin = range.begin + reference.view_begin * storage_element + offset * element;
    }
    tensor.big_endian = range.big_endian;
    return tensor;
  }

  // Elements from the first to behind the last one of a view; 0 if it is empty.
  uint64_t view_extent(const StoredTensor& tensor) const {
    if (std::count(tensor.dims.begin(), tensor.dims.end(), 0) > 0) return 0;
    uint64_t count = 1;
    uint64_t last = 0;
    for (size_t axis = 0; axis < tensor.dims.size(); ++axis) {
      const uint64_t extent = static_cast<uint64_t>(tensor.dims[axis]);
      uint64_t reach = 0;
      if (!multiply(count, extent, &count) || count > INT64_MAX ||
          !multiply(extent - 1, static_cast<uint64_t>(tensor.strides[axis]), &reach) ||
          reach > INT64_MAX || last + reach > INT64_MAX) {
        bad_tensor(tensor.name, "has an impossible shape, ", dims_to_string(tensor.dims));
      }
      last += reach;
    }
    if (count > last + 1 && count > std::max(kMaxRepeated, file_.size())) {
      bad_tensor(tensor.name, "of shape ", dims_to_string(tensor.dims), " repeats ", last + 1,
                 " elements too often to be weights");
    }
    return last + 1;
  }

  PyTorchFile* target_;
  const InputFile& file_;
  const std::string& key_;
  const std::string origin_;
  std::function<Range(const std::string&)> locate_;
  // Bytes that belong to nothing.
  uint64_t rest_ = 0;
};

PyTorchFile::PyTorchFile(const std::string& path, FileFormat::Container format,
                         const std::string& key)
    : file_(path) {
  Reader reader(this, key);
  if (format == FileFormat::Container::kPyTorchZip) {
    reader.read_zip();
  } else {
    reader.read_legacy();
  }
}

const PyTorchFile::StoredTensor& PyTorchFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    fail(ATA_INVALID_ARGUMENT, "'", path(), "' has no tensor '", name, "'");
  }
  return tensors_[found->second];
}

const std::vector<int64_t>& PyTorchFile::dims(const std::string& name) const {
  return find(name).dims;
}

const std::string* PyTorchFile::metadata(const std::string&) const {
  return nullptr;
}

Tensor PyTorchFile::get_f32(const std::string& name) const {
  const StoredTensor& stored = find(name);
  if (!is_floating_point(stored.type)) {
    fail(ATA_BAD_MODEL, "'", path(), "': tensor '", name, "' has element type ", stored.type,
         "; floating-point numbers are expected");
  }
  if (stored.dims.size() > Shape::kMaxRank) {
    fail(ATA_BAD_MODEL, "'", path(), "': tensor '", name, "' has ", stored.dims.size(),
         " axes; at most ", Shape::kMaxRank, " are supported");
  }
  Tensor tensor(Shape{std::span<const int64_t>(stored.dims)}, DType::kF32);
  float* const out = tensor.data<float>();
  const uint64_t count = static_cast<uint64_t>(tensor.count());
  const size_t element = static_cast<size_t>(element_size(stored.type));
  const bool in_place = is_contiguous(stored.dims, stored.strides);
  const size_t bytes = static_cast<size_t>(stored.extent) * element;
  if (in_place && stored.type == "F32" && !stored.big_endian) {
    file_.read(stored.begin, out, bytes);
    return tensor;
  }
  std::vector<char> raw(bytes);
  file_.read(stored.begin, raw.data(), bytes);
  if (stored.big_endian) {
    for (size_t i = 0; i < bytes; i += element) {
      std::reverse(raw.begin() + static_cast<ptrdiff_t>(i),
                   raw.begin() + static_cast<ptrdiff_t>(i + element));
    }
  }
  if (in_place) {
    convert_to_f32(stored.type, raw.data(), count, out);
    return tensor;
  }
  float* next = out;
  for_each_element(stored.dims, stored.strides, count, [&](size_t position) {
    convert_to_f32(stored.type, raw.data() + position * element, 1, next++);
  });
  return tensor;
}

}  // namespace ata
