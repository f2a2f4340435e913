#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"
#include "model/containers/element_types.h"
#include "model/containers/file_format.h"

namespace ata {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

// The format's own limit.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr char kMetadataKey[] = "__metadata__";

const char* format_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kBF16:
      return "BF16";
    case DType::kI32:
      return "I32";
    case DType::kI64:
      return "I64";
    case DType::kU8:
      return "U8";
    case DType::kF64:
      break;
  }
  fail(ATA_INTERNAL, "element type ", static_cast<int>(dtype), " has no safetensors name");
}

}  // namespace

// Receives the header's JSON event by event, so that nothing deeper or other than the format
// allows is ever built in memory.
class TensorFile::HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(TensorFile* file) : file_(file) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    unexpected("a fractional or huge number");
  }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (list_ == nullptr) unexpected("a number");
    if (value > static_cast<uint64_t>(INT64_MAX)) unexpected("a huge number");
    if (list_->size() == kMaxListLength) unexpected("a long list");
    list_->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      file_->metadata_[key_] = value;
    } else if (depth_ == 2 && list_ == nullptr && key_ == "dtype") {
      entry_.dtype = value;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_object(size_t) override {
    if (depth_ >= 2 || list_ != nullptr) unexpected("an object");
    ++depth_;
    keys_[depth_ - 1].clear();
    if (depth_ == 2) {
      in_metadata_ = name_ == kMetadataKey;
      entry_ = Entry();
      entry_.name = name_;
      offsets_.clear();
    }
    return true;
  }

  bool key(string_t& value) override {
    if (value.find('\0') != std::string::npos) bad("a name contains a zero character");
    if (!keys_[depth_ - 1].insert(value).second) {
      bad("'", shown(value), "' appears twice",
          depth_ == 2 ? concat(" in '", shown(name_), "'") : std::string());
    }
    key_ = value;
    if (depth_ == 1) name_ = value;
    return true;
  }

  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) finish_entry();
    --depth_;
    return true;
  }

  bool start_array(size_t) override {
    if (depth_ != 2 || in_metadata_ || list_ != nullptr) unexpected("a list");
    if (key_ == "shape") {
      list_ = &entry_.dims;
    } else if (key_ == "data_offsets") {
      list_ = &offsets_;
    } else {
      unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    list_ = nullptr;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    bad("the header is not valid JSON (near byte ", position + 8, ")");
  }

 private:
  // More axes than any tensor has; a hostile list must not fill the memory.
  static constexpr size_t kMaxListLength = 64;

  template <typename... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(ATA_BAD_MODEL, "'", file_->path_, "' is not a valid safetensors file: ", args...);
  }

  [[noreturn]] void unexpected(const char* what) const {
    if (depth_ == 0) bad("the header is ", what, ", not an object");
    if (depth_ == 1) bad("'", shown(name_), "' is ", what, ", not an object");
    bad("'", shown(key_), "' of '", shown(name_), "' is or contains ", what);
  }

  void finish_entry() {
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (keys_[1].count(field) == 0) bad("tensor '", shown(name_), "' has no ", field);
    }
    if (offsets_.size() != 2)
      bad("tensor '", shown(name_), "' has ", offsets_.size(), " data_offsets");
    entry_.begin = static_cast<uint64_t>(offsets_[0]);
    entry_.end = static_cast<uint64_t>(offsets_[1]);
    file_->entries_.push_back(std::move(entry_));
  }

  TensorFile* file_;
  int depth_ = 0;
  // Keys seen so far in the header and in its current member.
  std::unordered_set<std::string> keys_[2];
  std::string name_;
  std::string key_;
  bool in_metadata_ = false;
  Entry entry_;
  std::vector<int64_t> offsets_;
  std::vector<int64_t>* list_ = nullptr;
};

TensorFile::TensorFile(const std::string& path)
    : TensorFile(std::make_shared<const InputFile>(path)) {}

TensorFile::TensorFile(std::shared_ptr<const InputFile> file)
    : path_(file->path()), file_(std::move(file)) {
  const FileFormat kind = recognise(*file_);
  if (kind.is_pytorch() || kind.container == FileFormat::Container::kShardIndex) {
    fail(ATA_BAD_MODEL, "'", path_, "' is ", kind.what,
         ", not a safetensors file; convert it with: ata import ", argument(), " OUT.safetensors");
  }
  if (kind.container == FileFormat::Container::kOther) {
    fail(ATA_BAD_MODEL, "'", path_, "' is ", kind.what, ", not a safetensors file; ", kind.remedy);
  }
  const uint64_t size = file_->size();
  if (size < 8) {
    fail(ATA_BAD_MODEL, "'", path_, "' is not a safetensors file: it has only ", size, " bytes");
  }
  uint64_t header_size = 0;
  file_->read(0, &header_size, sizeof(header_size));
  if (header_size > kMaxHeaderBytes) {
    fail(ATA_BAD_MODEL, "'", path_, "' is not a safetensors file: its header would have ",
         header_size, " bytes, more than the format's limit of ", kMaxHeaderBytes);
  }
  if (header_size > size - 8) {
    fail(ATA_BAD_MODEL, "'", path_, "' is truncated: its header has ", header_size,
         " bytes, the file ", size);
  }
  {
    std::string header(static_cast<size_t>(header_size), '\0');
    file_->read(8, header.data(), header.size());
    HeaderReader reader(this);
    nlohmann::json::sax_parse(header, &reader);
  }
  check_layout(8 + header_size);
}

void TensorFile::check_layout(uint64_t data_begin) {
  const uint64_t data_size = file_->size() - data_begin;
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t expected = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const auto bad = [&](const auto&... args) {
      fail(ATA_BAD_MODEL, "'", path_, "': tensor '", shown(entry.name), "' ", args...);
    };
    if (entry.begin > entry.end) {
      bad("ends at byte ", entry.end, ", before it begins at ", entry.begin);
    }
    if (entry.end > data_size) {
      bad("ends at byte ", entry.end, " of ", data_size,
          "; the file is truncated or its header lies");
    }
    if (entry.begin < expected) bad("overlaps '", shown(entries_[i - 1].name), "'");
    if (entry.begin > expected) {
      bad("begins ", entry.begin - expected, " bytes after the previous tensor's end");
    }
    expected = entry.end;

    // Zero extents make any product zero, so overflow counts only among the others.
    uint64_t count = 1;
    bool overflow = false;
    for (int64_t extent : entry.dims) {
      if (extent > 0) {
        overflow |= !multiply(count, static_cast<uint64_t>(extent), &count);
      }
    }
    const bool empty = std::count(entry.dims.begin(), entry.dims.end(), 0) > 0;
    uint64_t bytes = 0;
    const uint64_t element = element_size(entry.dtype);
    overflow |= !multiply(count, std::max<uint64_t>(element, 1), &bytes);
    if (overflow) bad("has an impossible shape, ", dims_to_string(entry.dims));
    if (empty) bytes = 0;
    // The size of an unknown type cannot be checked; get() rejects it.
    if (element != 0 && bytes != entry.end - entry.begin) {
      bad("needs ", bytes, " bytes for ", entry.dtype, " ", dims_to_string(entry.dims), " but has ",
          entry.end - entry.begin);
    }
    entry.begin += data_begin;
    entry.end += data_begin;
    index_.emplace(entry.name, i);
  }
  if (expected != data_size) {
    fail(ATA_BAD_MODEL, "'", path_, "' is not a valid safetensors file: ", data_size - expected,
         " bytes at its end belong to no tensor");
  }
}

const TensorFile::Entry& TensorFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    fail(ATA_UNKNOWN_NAME, path_.empty() ? std::string("the set") : concat("'", path_, "'"),
         " has no tensor '", shown(name), "'");
  }
  return entries_[found->second];
}

const std::vector<int64_t>& TensorFile::dims(const std::string& name) const {
  return find(name).dims;
}

Tensor TensorFile::get(const std::string& name) const {
  const Entry& entry = find(name);
  return entry.tensor.defined() ? entry.tensor : read(entry);
}

Tensor TensorFile::read(const Entry& entry) const {
  if (entry.dims.size() > Shape::kMaxRank) {
    fail(ATA_BAD_MODEL, "'", path_, "': tensor '", shown(entry.name), "' has ", entry.dims.size(),
         " axes; at most ", Shape::kMaxRank, " are supported");
  }
  const Shape shape{std::span<const int64_t>(entry.dims)};
  const size_t bytes = static_cast<size_t>(entry.end - entry.begin);
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kI32, DType::kI64, DType::kU8}) {
    if (entry.dtype == format_name(dtype)) {
      Tensor tensor(shape, dtype);
      file_->read(entry.begin, tensor.raw(), bytes);
      return tensor;
    }
  }
  if (entry.dtype != "F16" && entry.dtype != "F64") {
    fail(ATA_BAD_MODEL, "'", path_, "': tensor '", shown(entry.name), "' has element type '",
         shown(entry.dtype), "'; supported are F32, F16, BF16, F64, I32, I64 and U8");
  }
  Tensor tensor(shape, DType::kF32);
  float* out = tensor.data<float>();
  std::vector<char> raw(bytes);
  file_->read(entry.begin, raw.data(), bytes);
  convert_to_f32(entry.dtype, raw.data(), static_cast<size_t>(tensor.count()), out);
  return tensor;
}

Tensor TensorFile::get_f32(const std::string& name) const {
  Tensor tensor = get(name);
  if (tensor.dtype() == DType::kF32) return tensor;
  if (tensor.dtype() != DType::kBF16) {
    fail(ATA_BAD_MODEL, "'", path_, "': tensor '", shown(name), "' has element type ",
         dtype_name(tensor.dtype()), "; floating-point numbers are expected");
  }
  Tensor result(tensor.shape(), DType::kF32);
  const auto values = tensor.values<BFloat16>();
  std::transform(values.begin(), values.end(), result.data<float>(),
                 [](BFloat16 value) { return to_float(value); });
  return result;
}

void TensorFile::set(const std::string& name, const Tensor& tensor) {
  require(!name.empty() && name != kMetadataKey, "'", shown(name),
          "' cannot be the name of a tensor");
  require(tensor.defined(), "tensor '", shown(name), "' is empty");
  Entry entry;
  entry.name = name;
  entry.dtype = format_name(tensor.dtype());
  entry.dims.assign(tensor.shape().dims().begin(), tensor.shape().dims().end());
  entry.tensor = tensor;
  const auto [position, inserted] = index_.emplace(name, entries_.size());
  if (inserted) {
    entries_.push_back(std::move(entry));
  } else {
    entries_[position->second] = std::move(entry);
  }
}

const std::string* TensorFile::metadata(const std::string& key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

void TensorFile::set_metadata(const std::string& key, const std::string& value) {
  metadata_[key] = value;
}

void TensorFile::save(const std::string& path) const {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  const auto size_of = [](const Entry* entry) { return element_size(entry->dtype); };
  std::sort(order.begin(), order.end(), [&](const Entry* a, const Entry* b) {
    return size_of(a) != size_of(b) ? size_of(a) > size_of(b) : a->name < b->name;
  });

  const auto stored_bytes = [](const Entry* entry) -> uint64_t {
    return entry->tensor.defined() ? entry->tensor.bytes() : entry->end - entry->begin;
  };
  std::string text = "{";
  try {
    const auto add = [&](const std::string& key, const nlohmann::json& value) {
      if (text.size() > 1) text += ',';
      text += nlohmann::json(key).dump() + ':' + value.dump();
    };
    if (!metadata_.empty()) add(kMetadataKey, metadata_);
    uint64_t offset = 0;
    for (const Entry* entry : order) {
      const uint64_t end = offset + stored_bytes(entry);
      add(entry->name,
          {{"dtype", entry->dtype}, {"shape", entry->dims}, {"data_offsets", {offset, end}}});
      offset = end;
    }
  } catch (const nlohmann::json::exception&) {
    fail(ATA_INVALID_ARGUMENT, "cannot write '", path,
         "': a tensor's name or a metadata string is not valid UTF-8");
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  require(text.size() <= kMaxHeaderBytes, "cannot write '", path, "': its header would exceed ",
          kMaxHeaderBytes, " bytes");

  AtomicFile out(path);
  const uint64_t header_size = text.size();
  out.write(&header_size, sizeof(header_size));
  out.write(text.data(), text.size());
  std::vector<char> buffer;
  for (const Entry* entry : order) {
    if (entry->tensor.defined()) {
      out.write(entry->tensor.raw(), entry->tensor.bytes());
      continue;
    }
    // Tensors of the opened file are copied as they are stored, piece by piece.
    buffer.resize(size_t{1} << 20);
    for (uint64_t at = entry->begin; at < entry->end;) {
      const size_t piece = static_cast<size_t>(std::min<uint64_t>(buffer.size(), entry->end - at));
      file_->read(at, buffer.data(), piece);
      out.write(buffer.data(), piece);
      at += piece;
    }
  }
  out.commit();
}

}  // namespace ata
