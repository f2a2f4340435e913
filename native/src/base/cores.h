#ifndef ATA_BASE_CORES_H_
#define ATA_BASE_CORES_H_

#include <optional>
#include <string>

namespace ata {

/// How many threads the process is meant to use, as it was told when this was first called:
/// the environment's ATA_NUM_THREADS, else OMP_NUM_THREADS (whose first number counts), else
/// available_cores(). A value that is not a number from 1 to ATA_MAX_THREADS is named in a warning
/// and passed over.
int default_thread_count();

/// How many processors this process may keep busy: those it may run on, and no more than its
/// container's quota (Linux's control groups, version 1 and 2) is worth, rounded up. At least 1.
int available_cores();

/// The threads that a setting like "4" or OpenMP's "4,2" asks for; nothing if it is not such a
/// setting.
std::optional<int> parse_thread_setting(const std::string& text);

/// How many processors a control group's quota is worth: `root` is where the file systems of
/// control groups are mounted, `membership` the content of /proc/self/cgroup. Nothing without a
/// quota. Of nested groups the tightest counts.
std::optional<double> quota_of_control_groups(const std::string& root,
                                              const std::string& membership);

}  // namespace ata

#endif  // ATA_BASE_CORES_H_
