#include "video/frame_times.h"

#include <algorithm>
#include <cstddef>

namespace ata {
namespace {

/// Frames in a row that may have wrong times while the clock is right.
constexpr size_t kMaxMisplaced = 4;

/// `time` plus `count` steps, at most kMaxTick.
int64_t later(int64_t time, int64_t step, size_t count) {
  const auto steps = static_cast<int64_t>(count);
  if (steps > 0 && step > (kMaxTick - time) / steps) return kMaxTick;
  return time + step * steps;
}

class Repair {
 public:
  Repair(std::vector<int64_t>& times, int64_t step, int64_t longest_step)
      : times_(times), step_(std::max<int64_t>(1, step)), longest_step_(longest_step) {}

  TimeRepairs run() {
    for (size_t i = 0; i < times_.size(); ++i) {
      if (times_[i] == kNoTime) {
        ++repairs_.missing;
      } else {
        place(i);
      }
    }
    interpolate();
    return repairs_;
  }

 private:
  int64_t last() const { return times_[kept_.back()]; }

  /// The time of frame `i`, which was not placed yet.
  int64_t moved(size_t i) const { return std::clamp(times_[i] + offset_, -kMaxTick, kMaxTick); }

  bool follows(int64_t time, int64_t before) const {
    return time > before && time - before <= longest_step_;
  }

  void keep(size_t i, int64_t time) {
    times_[i] = time;
    kept_.push_back(i);
  }

  void drop(size_t i) {
    times_[i] = kNoTime;
    ++repairs_.misplaced;
  }

  void place(size_t i) {
    const int64_t time = moved(i);
    if (kept_.empty()) return keep(i, time);
    const auto frames_between = static_cast<int64_t>(i - kept_.back());
    if (follows(time, last())) {
      // There must be room for those in between.
      if (time - last() >= frames_between) return keep(i, time);
      return restart(i);
    }
    // Frames before this one that are not before it in time, and frames from this one on that are
    // not after the last in time.
    const size_t before = time > last() ? kMaxMisplaced + 1 : misplaced_before(time);
    const size_t after = misplaced_from(i);
    const bool before_may_be_wrong = before <= kMaxMisplaced &&
                                     kept_.size() > segment_begin_ + before &&
                                     follows(time, times_[kept_[kept_.size() - before - 1]]);
    const bool after_may_be_wrong = after <= kMaxMisplaced;
    if (before_may_be_wrong &&
        (!after_may_be_wrong || before < after || (before == after && last_is_odd(i)))) {
      for (size_t k = 0; k < before; ++k) {
        drop(kept_.back());
        kept_.pop_back();
      }
      place(i);
    } else if (after_may_be_wrong) {
      drop(i);
    } else {
      restart(i);
    }
  }

  void restart(size_t i) {
    const int64_t time = later(last(), step_, i - kept_.back());
    offset_ = time - times_[i];
    ++repairs_.restarts;
    segment_begin_ = kept_.size();
    keep(i, time);
  }

  size_t misplaced_before(int64_t time) const {
    size_t count = 0;
    while (count < kept_.size() && count <= kMaxMisplaced &&
           times_[kept_[kept_.size() - count - 1]] >= time) {
      ++count;
    }
    return count;
  }

  /// More than kMaxMisplaced if none of the next frames follows the last one.
  size_t misplaced_from(size_t i) const {
    size_t count = 0;
    for (; i < times_.size() && count <= kMaxMisplaced; ++i) {
      if (times_[i] == kNoTime) continue;
      if (follows(moved(i), last())) return count;
      ++count;
    }
    return kMaxMisplaced + 1;
  }

  /// Of two frames that contradict each other, the last one kept and `i`: whether time passes more
  /// evenly without the former.
  bool last_is_odd(size_t i) const {
    if (kept_.size() < 2 || i + 1 >= times_.size() || times_[i + 1] == kNoTime) return false;
    return last() - times_[kept_[kept_.size() - 2]] > moved(i + 1) - last();
  }

  /// Gives the frames that were not kept their times.
  void interpolate() {
    if (kept_.empty()) {
      for (size_t i = 0; i < times_.size(); ++i) times_[i] = later(0, step_, i);
      return;
    }
    const size_t first = kept_.front();
    for (size_t i = 0; i < first; ++i) times_[i] = -later(-times_[first], step_, first - i);
    for (size_t k = 1; k < kept_.size(); ++k) {
      const size_t begin = kept_[k - 1], end = kept_[k];
      const int64_t parts = static_cast<int64_t>(end - begin);
      const int64_t whole = times_[end] - times_[begin];
      for (size_t i = begin + 1; i < end; ++i) {
        const auto part = static_cast<int64_t>(i - begin);
        times_[i] = times_[begin] + whole / parts * part + whole % parts * part / parts;
      }
    }
    for (size_t i = kept_.back() + 1; i < times_.size(); ++i) {
      times_[i] = later(last(), step_, i - kept_.back());
    }
  }

  std::vector<int64_t>& times_;
  int64_t step_;
  int64_t longest_step_;
  int64_t offset_ = 0;
  size_t segment_begin_ = 0;  // of kept_, since the clock was set last
  std::vector<size_t> kept_;  // ascending, as their times are
  TimeRepairs repairs_;
};

}  // namespace

int64_t usual_step(const std::vector<int64_t>& times, int64_t otherwise) {
  std::vector<int64_t> steps;
  for (size_t i = 1; i < times.size(); ++i) {
    if (times[i] == kNoTime || times[i - 1] == kNoTime || times[i] <= times[i - 1]) continue;
    steps.push_back(times[i] - times[i - 1]);
  }
  if (steps.empty()) return otherwise;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle;
}

TimeRepairs repair_times(std::vector<int64_t>& times, int64_t step, int64_t longest_step) {
  return Repair(times, step, longest_step).run();
}

}  // namespace ata
