#include "defects.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>

#include "scheduler.h"

namespace emu {
namespace {

std::string defect;

std::string file_name(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// Asks addr2line for the lines that an instruction comes from, the innermost function first.
std::string line_of(const char* library, size_t offset) {
  char command[4096];
  const int length = std::snprintf(command, sizeof command,
                                   "addr2line -i -e '%s' 0x%zx 2>/dev/null", library, offset);
  if (length < 0 || static_cast<size_t>(length) >= sizeof command ||
      std::strchr(library, '\'') != nullptr) {
    return {};
  }
  FILE* const answer = popen(command, "r");
  if (answer == nullptr) return {};
  std::string found;
  char line[4096];
  while (std::fgets(line, sizeof line, answer) != nullptr) {
    std::string text = file_name(line);
    text = text.substr(0, text.find_first_of(" \n"));
    const std::string file = text.substr(0, text.find(':'));
    if (!found.empty() || file == "emulator.h" || file == "dialect.h" || file == "??") continue;
    found = text;
  }
  pclose(answer);
  return found;
}

}  // namespace

std::string to_text(const Place& place) {
  if (place.site.file != nullptr) {
    return file_name(place.site.file) + ":" + std::to_string(place.site.line);
  }
  Dl_info info{};
  if (place.address == nullptr || dladdr(place.address, &info) == 0 || info.dli_fname == nullptr) {
    return "an unknown place";
  }
  // The address is that of the instruction behind the call.
  const size_t offset = static_cast<size_t>(static_cast<const char*>(place.address) -
                                            static_cast<const char*>(info.dli_fbase)) -
                        1;
  const std::string line = line_of(info.dli_fname, offset);
  if (!line.empty()) return line;
  std::ostringstream text;
  text << file_name(info.dli_fname) << "+0x" << std::hex << offset;
  return text.str();
}

void report_defect(const std::string& what, const Place& where) {
  const bool placed = where.site.file != nullptr || where.address != nullptr;
  if (defect.empty()) {
    const std::string kernel = running_kernel();
    defect = (kernel.empty() ? "" : kernel + ": ") + what;
    // The emulator's own stack has room for what asking for a line takes.
    if (placed) run_on_host_stack([&] { defect += " at " + to_text(where); });
  }
  abandon_launch();
}

std::string take_defect() {
  return std::exchange(defect, {});
}

bool has_defect() {
  return !defect.empty();
}

const char* defect_text() {
  // Kept for callers of cudaGetErrorString, who never release it.
  static auto& texts = *new std::set<std::string>;
  return texts.insert(defect).first->c_str();
}

}  // namespace emu
