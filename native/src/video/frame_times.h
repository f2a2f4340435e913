#ifndef ATA_VIDEO_FRAME_TIMES_H_
#define ATA_VIDEO_FRAME_TIMES_H_

#include <cstdint>
#include <vector>

namespace ata {

/// Stands for a time that a container does not give.
constexpr int64_t kNoTime = INT64_MIN;

/// Largest time, in ticks, that is reckoned with; times beyond it are lies.
constexpr int64_t kMaxTick = int64_t{1} << 61;

/// What repair_times() had to change.
struct TimeRepairs {
  int64_t missing = 0;    ///< Frames without a time.
  int64_t misplaced = 0;  ///< Frames whose time contradicts those of their neighbours.
  int64_t restarts = 0;   ///< Places from which on all times are moved.
  bool any() const { return missing > 0 || misplaced > 0 || restarts > 0; }
};

/// The usual distance of neighbouring frames (the median), or `otherwise` if no two tell.
int64_t usual_step(const std::vector<int64_t>& times, int64_t otherwise);

/// Makes the times of a video's frames, given in the order in which they are shown, ascend
/// strictly.
///
/// Where a time is not after the one before it, either a few frames (up to four in a row) have
/// wrong times, which are replaced as missing ones are: by equal parts of the time between their
/// neighbours. Which of the frames are wrong is decided so that the fewest are. Or the clock itself
/// was set: times start again, or go on elsewhere. Then everything from there on is moved so that
/// it follows one usual step after the frame before. A step ahead of more than `longest_step` is
/// treated alike; INT64_MAX lets every step ahead stand.
TimeRepairs repair_times(std::vector<int64_t>& times, int64_t step, int64_t longest_step);

}  // namespace ata

#endif  // ATA_VIDEO_FRAME_TIMES_H_
