#include "base/cores.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <locale>
#include <sstream>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/log.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace ata {
namespace {

namespace fs = std::filesystem;

// The beginning of a file, which is all of those of the system; empty if it cannot be read.
std::string read_text(const fs::path& path) {
  std::string text(1 << 16, '\0');
  std::ifstream file(path);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// "MAX PERIOD" of version 2, where MAX may be "max"; version 1's two files give the same text, with
// -1 for no quota.
std::optional<double> parse_quota(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double quota = 0;
  double period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

std::optional<double> quota_of(const fs::path& group, bool version1) {
  return parse_quota(version1 ? read_text(group / "cpu.cfs_quota_us") + " " +
                                    read_text(group / "cpu.cfs_period_us")
                              : read_text(group / "cpu.max"));
}

void keep_smaller(std::optional<double>* smallest, std::optional<double> value) {
  if (value && (!*smallest || *value < **smallest)) *smallest = value;
}

int processors_of_process() {
#if defined(__linux__)
  // Machines with more processors than a cpu_set_t has bits need a larger set.
  for (int count = 1024; count <= (1 << 20); count *= 2) {
    cpu_set_t* set = CPU_ALLOC(count);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(count);
    const bool known = sched_getaffinity(0, size, set) == 0;
    const int found = known ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (known) return std::max(1, found);
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<int> setting_of_environment() {
  for (const char* name : {"ATA_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* value = std::getenv(name);
    if (!value || !*value) continue;
    if (const auto count = parse_thread_setting(value)) return count;
    log(ATA_LOG_WARNING,
        concat("the environment variable ", name, " is '", value,
               "', not a number of threads from 1 to ", ATA_MAX_THREADS, ", and is passed over"));
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> parse_thread_setting(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return std::nullopt;
  int count = 0;
  const char* const end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data() + first, end, count);
  if (error != std::errc() || count < 1 || count > ATA_MAX_THREADS) return std::nullopt;
  while (rest != end && (*rest == ' ' || *rest == '\t')) ++rest;
  if (rest != end && *rest != ',') return std::nullopt;
  return count;
}

std::optional<double> quota_of_control_groups(const std::string& root,
                                              const std::string& membership) {
  std::optional<double> smallest;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    // "0::/path" is version 2; "4:cpu,cpuacct:/path" version 1.
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version1 = ("," + controllers + ",").find(",cpu,") != std::string::npos;
    if (!version1 && !controllers.empty()) continue;
    // In a container the path may be that of the host, of which only the end is mounted, or lead
    // out of what is mounted ("/../.."): the root of the mount is the container's own group then.
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    if (std::find(group.begin(), group.end(), "..") != group.end()) group.clear();
    std::vector<fs::path> mounts = {fs::path(root)};
    if (version1) mounts = {fs::path(root) / controllers, fs::path(root) / "cpu"};
    for (;; group = group.parent_path()) {
      for (const fs::path& mount : mounts)
        keep_smaller(&smallest, quota_of(mount / group, version1));
      if (group.empty()) break;
    }
  }
  return smallest;
}

int available_cores() {
  int cores = processors_of_process();
#if defined(__linux__)
  if (const auto quota =
          quota_of_control_groups("/sys/fs/cgroup", read_text("/proc/self/cgroup"))) {
    cores = std::min(cores, std::max(1, static_cast<int>(std::ceil(std::min(*quota, 1e6)))));
  }
#endif
  return cores;
}

int default_thread_count() {
  static const int count = [] {
    return setting_of_environment().value_or(std::min(available_cores(), ATA_MAX_THREADS));
  }();
  return count;
}

}  // namespace ata
