#include "video/image_folder.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace ata {
namespace {

struct NumberedFile {
  uint64_t number;
  std::string name;
};

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Splits "img_00012.JPG" into "img_" and 12. False for names that are not numbered images.
bool parse_name(const std::string& name, std::string& prefix, uint64_t& number) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  std::string extension = name.substr(dot + 1);
  std::transform(extension.begin(), extension.end(), extension.begin(), ascii_lower);
  if (extension != "jpg" && extension != "jpeg" && extension != "png") return false;
  size_t begin = dot;
  while (begin > 0 && is_digit(name[begin - 1])) --begin;
  constexpr size_t kMaxDigits = 18;  // fits 64 bits
  if (begin == dot || dot - begin > kMaxDigits) return false;
  prefix = name.substr(0, begin);
  number = std::stoull(name.substr(begin, dot - begin));
  return true;
}

}  // namespace

std::vector<std::string> list_frame_files(const std::string& folder) {
  std::map<std::string, std::vector<NumberedFile>> sequences;
  std::error_code code;
  std::filesystem::directory_iterator entries(native_path(folder), code);
  const std::filesystem::directory_iterator end;
  while (!code && entries != end) {
    std::string prefix;
    NumberedFile file = {0, utf8_path(entries->path().filename())};
    if (parse_name(file.name, prefix, file.number)) sequences[prefix].push_back(std::move(file));
    entries.increment(code);
  }
  if (code) fail(ATA_IO_ERROR, "cannot read the folder '", folder, "': ", code.message());
  if (sequences.empty()) {
    fail(ATA_BAD_VIDEO, "'", folder,
         "' holds no numbered frames; they must be named like img_00001.jpg or img_00001.png");
  }

  auto chosen = sequences.size() == 1 ? sequences.begin() : sequences.find("img_");
  if (chosen == sequences.end()) {
    fail(ATA_BAD_VIDEO, "'", folder, "' holds several sequences of frames, such as '",
         sequences.begin()->second.front().name, "' and '",
         std::next(sequences.begin())->second.front().name,
         "'; put each into a folder of its own, or begin the names of the frames with img_");
  }
  std::vector<NumberedFile>& files = chosen->second;
  std::sort(files.begin(), files.end(), [](const NumberedFile& a, const NumberedFile& b) {
    return std::tie(a.number, a.name) < std::tie(b.number, b.name);
  });
  for (size_t i = 1; i < files.size(); ++i) {
    const NumberedFile& previous = files[i - 1];
    if (files[i].number == previous.number) {
      fail(ATA_BAD_VIDEO, "'", folder, "' holds frame ", previous.number, " twice: '",
           previous.name, "' and '", files[i].name, "'; remove one of them");
    }
    if (files[i].number != previous.number + 1) {
      fail(ATA_BAD_VIDEO, "'", folder, "' lacks frame ", previous.number + 1, ", between '",
           previous.name, "' and '", files[i].name, "'; restore it or renumber the frames");
    }
  }

  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const NumberedFile& file : files) {
    paths.push_back(utf8_path(native_path(folder) / native_path(file.name)));
  }
  return paths;
}

}  // namespace ata
