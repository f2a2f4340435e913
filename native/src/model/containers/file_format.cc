#include "model/containers/file_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "model/containers/zip_archive.h"

namespace ata {
namespace {

using Container = FileFormat::Container;
using std::string_view_literals::operator""sv;

// Enough for the first bytes of every kind below; a tar archive's mark is at 257.
constexpr size_t kBeginning = 4096;
// Where the index of a model with many shards names the first of them.
constexpr size_t kIndexBeginning = size_t{1} << 20;
constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

constexpr char kUnpack[] = "unpack it and import the checkpoint in it";
constexpr char kExport[] =
    "save the model's state_dict() with torch.save() or safetensors.torch.save_file() and import "
    "that";
constexpr char kOtherFormat[] = "import this model's weights for PyTorch or in safetensors";
constexpr char kDownload[] = "download the file again";

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* what;
  const char* remedy;
};

constexpr Signature kSignatures[] = {
    {0, "version https://git-lfs.github.com/spec/"sv,
     "a git-lfs pointer, not the file that it stands for", "fetch it with: git lfs pull"},
    {0, "GGUF"sv, "a GGUF file (llama.cpp)", "import the checkpoint that it was made from"},
    {0, "tjgg"sv, "a GGML file (llama.cpp)", "import the checkpoint that it was made from"},
    {0, "lmgg"sv, "a GGML file (llama.cpp)", "import the checkpoint that it was made from"},
    {0, "\x93NUMPY"sv, "a NumPy array (.npy)", kExport},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras and TensorFlow write", kOtherFormat},
    {4, "TFL3"sv, "a TensorFlow Lite model", kOtherFormat},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "\x1f\x8b"sv, "compressed by gzip", kUnpack},
    {0, "BZh"sv, "compressed by bzip2", kUnpack},
    {0, "\xfd\x37zXZ\0"sv, "compressed by xz", kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed by zstd", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack},
    {0, "Rar!\x1a\x07"sv, "a RAR archive", kUnpack},
    {4, "ftyp"sv, "a video", "name a checkpoint"},
    {0, "\x1a\x45\xdf\xa3"sv, "a video", "name a checkpoint"},
    {0, "\x89PNG"sv, "an image", "name a checkpoint"},
    {0, "\xff\xd8\xff"sv, "an image", "name a checkpoint"},
    {0, "%PDF"sv, "a PDF document", "name a checkpoint"},
};

// The last bytes of a table of LevelDB, which TensorFlow's checkpoints keep their index in.
constexpr std::string_view kTableEnd = "\x57\xfb\x80\x8b\x24\x75\x47\xdb"sv;
// torch.save()'s first number before PyTorch 1.6, as the two ways of writing it in a pickle.
constexpr std::string_view kTorchMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;
constexpr std::string_view kTorchMagicText = "L119547037146038801333356L\n"sv;

FileFormat other(std::string what, std::string remedy) {
  return {Container::kOther, std::move(what), std::move(remedy)};
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() &&
         std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

// Shorter files say too little about themselves.
constexpr size_t kShortestText = 8;

bool is_text(std::string_view bytes) {
  return bytes.size() >= kShortestText && std::all_of(bytes.begin(), bytes.end(), [](char c) {
           return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n' || c == '\f';
         });
}

std::string read_beginning(const InputFile& file, size_t size) {
  std::string bytes(static_cast<size_t>(std::min<uint64_t>(size, file.size())), '\0');
  file.read(0, bytes.data(), bytes.size());
  return bytes;
}

FileFormat recognise_text(const InputFile& file, std::string_view bytes) {
  const size_t at = bytes.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  const std::string_view text = at == bytes.npos ? std::string_view() : bytes.substr(at);
  if (starts_with_ignoring_case(text, "<!doctype html") ||
      starts_with_ignoring_case(text, "<html") || starts_with_ignoring_case(text, "<head")) {
    return other("an HTML page, not the file that it was downloaded for",
                 "download it by the link that leads to the file itself");
  }
  if (starts_with_ignoring_case(text, "<?xml") || starts_with_ignoring_case(text, "<error")) {
    return other("an XML document, often a server's error message", kDownload);
  }
  if (text.starts_with('{') || text.starts_with("[{") || text.starts_with("[\"")) {
    if (read_beginning(file, kIndexBeginning).find("\"weight_map\"") != std::string::npos) {
      return {Container::kShardIndex, "an index of shards", ""};
    }
    return other("JSON, not weights", "name the checkpoint beside it");
  }
  return is_text(bytes) ? other("a text file", "name a checkpoint") : FileFormat();
}

// The table of contents of a zip archive tells what made it.
FileFormat recognise_zip(const InputFile& file) {
  std::optional<ZipArchive> archive;
  try {
    archive.emplace(file);
  } catch (const Error& error) {
    if (error.status() != ATA_BAD_MODEL) throw;
    return other(concat("a damaged zip archive, such as torch.save() writes (", error.what(), ")"),
                 kDownload);
  }
  bool has_pickle = false;
  bool has_code = false;
  bool has_arrays = false;
  bool has_keras = false;
  for (const ZipArchive::Entry& entry : archive->entries()) {
    const std::string_view name = entry.name;
    const size_t slash = name.find('/');
    const std::string_view inner = slash == name.npos ? std::string_view() : name.substr(slash + 1);
    has_pickle |= inner == "data.pkl";
    has_code |= inner == "constants.pkl" || inner.starts_with("code/");
    has_arrays |= name.ends_with(".npy");
    has_keras |= name.ends_with(".weights.h5");
  }
  if (has_code) {
    return other("a TorchScript archive, which is a program and not weights",
                 "in Python, save its weights: "
                 "torch.save(torch.jit.load(FILE).state_dict(), \"weights.pt\")");
  }
  if (has_pickle) return {Container::kPyTorchZip, "a file of PyTorch", ""};
  if (has_arrays) return other("a NumPy archive (.npz)", kExport);
  if (has_keras) return other("a model of Keras", kOtherFormat);
  return other("a zip archive that torch.save() did not write", kUnpack);
}

// A protocol buffer that begins with a small version number and then a text or message.
bool is_protobuf_model(std::string_view bytes) {
  return bytes.size() > 4 && bytes[0] == 0x08 && bytes[1] > 0 && bytes[1] < 32 && bytes[2] == 0x12;
}

}  // namespace

FileFormat recognise(const InputFile& file) {
  if (file.size() == 0) return other("empty", kDownload);
  const std::string bytes = read_beginning(file, kBeginning);
  const std::string_view view = bytes;

  for (const Signature& signature : kSignatures) {
    if (view.size() >= signature.offset + signature.bytes.size() &&
        view.substr(signature.offset, signature.bytes.size()) == signature.bytes) {
      return other(signature.what, signature.remedy);
    }
  }
  if (view.starts_with("PK\3\4") || view.starts_with("PK\5\6")) return recognise_zip(file);
  if (view.size() > 8 && view[8] == '{') {
    uint64_t header_size = 0;
    std::memcpy(&header_size, view.data(), sizeof(header_size));
    if (header_size <= kMaxSafetensorsHeader) {
      return {Container::kSafetensors, "a safetensors file", ""};
    }
  }
  // A pickle of protocol 2 or later names its protocol; from 4 on a frame may come before the
  // magic.
  if (view.starts_with(kTorchMagicText) ||
      (view[0] == '\x80' && view.substr(0, 32).find(kTorchMagic) != view.npos)) {
    return {Container::kPyTorchLegacy, "a file of PyTorch", ""};
  }
  if (view.size() > 1 && view[0] == '\x80' && view[1] >= 2 && view[1] <= 5) {
    return other("a Python pickle that torch.save() did not write", kExport);
  }
  std::array<char, 8> end{};
  if (file.size() >= end.size()) {
    file.read(file.size() - end.size(), end.data(), end.size());
    if (std::string_view(end.data(), end.size()) == kTableEnd) {
      return other("the index of a TensorFlow checkpoint", kOtherFormat);
    }
  }
  if (is_protobuf_model(view)) {
    return other("a model of ONNX or TensorFlow (a protocol buffer)", kOtherFormat);
  }
  return recognise_text(file, view);
}

}  // namespace ata
