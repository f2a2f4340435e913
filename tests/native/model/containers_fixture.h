#ifndef ATA_TESTS_NATIVE_MODEL_CONTAINERS_FIXTURE_H_
#define ATA_TESTS_NATIVE_MODEL_CONTAINERS_FIXTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "fixture.h"
#include "model/tensor_source.h"

namespace ata {

/// A file of tests/data/pytorch (make_pytorch_files.py).
inline std::string pytorch_data(const std::string& name) {
  return test_data("pytorch/" + name);
}

/// `value` in `bytes` bytes, the lowest first.
inline std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// Opcodes of Python's pickles, enough to write by hand what torch.save() would never write.
namespace pickle {

inline std::string text(const std::string& value) {
  return concat("X", little_endian(value.size(), 4), value);
}
inline std::string integer(int64_t value) {
  return concat("\x8a\x08", little_endian(static_cast<uint64_t>(value), 8));
}
inline std::string tuple(const std::vector<std::string>& values) {
  std::string result = "(";
  for (const std::string& value : values) result += value;
  return result + "t";
}
inline std::string numbers(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}
inline std::string global(const std::string& module, const std::string& name) {
  return concat("c", module, "\n", name, "\n");
}
inline std::string dictionary(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string result = "}(";
  for (const auto& [key, value] : entries) result += text(key) + value;
  return result + "u";
}
inline std::string storage(const std::string& key, int64_t elements,
                           const std::string& type = "FloatStorage") {
  return tuple(
             {text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) +
         "Q";
}
/// A call of torch._utils._rebuild_tensor_v2.
inline std::string tensor(const std::string& storage, int64_t offset,
                          const std::vector<int64_t>& dims, const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, integer(offset), numbers(dims), numbers(strides), "\x89",
                global("collections", "OrderedDict") + ")R"}) +
         "R";
}

}  // namespace pickle

/// A zip archive of stored entries, with hooks to damage it.
class ZipWriter {
 public:
  struct Entry {
    std::string name;
    std::string data;
    /// What the table of contents says.
    uint64_t size = 0;
    uint64_t offset = 0;
  };

  void add(const std::string& name, const std::string& data) {
    entries.push_back({name, data, data.size(), bytes_.size()});
    bytes_ += "PK\x03\x04" + std::string(14, '\0') + little_endian(data.size(), 4) +
              little_endian(data.size(), 4) + little_endian(name.size(), 2) + little_endian(0, 2) +
              name + data;
  }

  std::string finish() const {
    std::string directory;
    for (const Entry& entry : entries) {
      directory += "PK\x01\x02" + std::string(16, '\0') + little_endian(entry.size, 4) +
                   little_endian(entry.size, 4) + little_endian(entry.name.size(), 2) +
                   std::string(12, '\0') + little_endian(entry.offset, 4) + entry.name;
    }
    return bytes_ + directory + "PK\x05\x06" + std::string(4, '\0') +
           little_endian(entries.size(), 2) + little_endian(entries.size(), 2) +
           little_endian(directory.size(), 4) + little_endian(bytes_.size(), 4) +
           little_endian(0, 2);
  }

  std::vector<Entry> entries;

 private:
  std::string bytes_;
};

/// What torch.save() would write for a pickle's opcodes (without STOP) and storages.
inline std::string torch_archive(const std::string& opcodes,
                                 const std::vector<std::pair<std::string, std::string>>& storages) {
  ZipWriter zip;
  zip.add("archive/data.pkl", concat("\x80\x02", opcodes, "."));
  for (const auto& [key, data] : storages) zip.add("archive/data/" + key, data);
  return zip.finish();
}

}  // namespace ata

#endif  // ATA_TESTS_NATIVE_MODEL_CONTAINERS_FIXTURE_H_
