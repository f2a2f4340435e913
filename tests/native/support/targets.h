#ifndef ATA_TESTS_SUPPORT_TARGETS_H_
#define ATA_TESTS_SUPPORT_TARGETS_H_

#include <gtest/gtest.h>
#include <hwy/detect_targets.h>
#include <hwy/targets.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ata {

/// Tests of this suite run once for each instruction set that the machine has, and that one alone.
class EveryTarget : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

inline std::vector<int64_t> machine_targets() {
  std::vector<int64_t> targets;
  for (uint64_t left = static_cast<uint64_t>(hwy::SupportedTargets() & HWY_TARGETS); left != 0;
       left &= left - 1) {
    targets.push_back(static_cast<int64_t>(left & -left));
  }
  return targets;
}

inline std::string target_name(const ::testing::TestParamInfo<int64_t>& info) {
  return hwy::TargetName(info.param);
}

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_TARGETS_H_
