#include "video/views.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/threads.h"
#include "video/sampling.h"

namespace ata {
namespace {

/// Most frames of the views of a pass; bounds its lists.
constexpr size_t kMaxWanted = size_t{1} << 20;

int64_t plane_of(const ata_clip_options& view) {
  return int64_t{view.size} * view.size;
}

int64_t bytes_of(const ata_clip_options& view) {
  return 3 * view.frames * plane_of(view) * static_cast<int64_t>(sizeof(float));
}

}  // namespace

/// Transforms frames into the places of views that show them, several at once.
class ViewSampler::FrameQueue {
 public:
  FrameQueue(ViewSampler& sampler, size_t useful) : sampler_(sampler) {
    const ata_video_info& info = sampler.decoder_.info();
    frame_bytes_ = static_cast<size_t>(info.height) * static_cast<size_t>(info.width) * 3;
    // Frames wait until there is work for all threads, in at most 256 MiB (but at least one).
    const size_t affordable = std::max<size_t>(1, (size_t{256} << 20) / frame_bytes_);
    capacity_ = std::min({4 * static_cast<size_t>(thread_count()), useful, affordable});
  }

  /// Adds a frame for places that are sorted by view.
  void add(const uint8_t* rgb, std::span<const Wanted> places) {
    if (waiting_ == capacity_) flush();
    if (frames_.size() <= waiting_) frames_.emplace_back(frame_bytes_);
    std::memcpy(frames_[waiting_].data(), rgb, frame_bytes_);
    for (size_t first = 0; first < places.size();) {
      size_t end = first + 1;
      while (end < places.size() && places[end].view == places[first].view) ++end;
      jobs_.push_back({waiting_,
                       {places.begin() + static_cast<std::ptrdiff_t>(first),
                        places.begin() + static_cast<std::ptrdiff_t>(end)}});
      first = end;
    }
    ++waiting_;
  }

  void flush() {
    parallel_for_dynamic(static_cast<int64_t>(jobs_.size()), [&](int64_t i, int) {
      const Job& job = jobs_[static_cast<size_t>(i)];
      const size_t view = job.places.front().view;
      Tensor& clip = sampler_.clips_[view - sampler_.pass_begin_].clip;
      const int64_t plane = plane_of(sampler_.views_[view]);
      const int64_t channel_stride = plane * clip.dim(2);
      const auto place = [&](const Wanted& wanted) {
        return clip.data<float>() + static_cast<int64_t>(wanted.frame) * plane;
      };
      float* const first = place(job.places.front());
      sampler_.transforms_[view - sampler_.pass_begin_]->apply(frames_[job.frame].data(), first,
                                                               channel_stride);
      for (size_t k = 1; k < job.places.size(); ++k) {
        for (int c = 0; c < 3; ++c) {
          std::memcpy(place(job.places[k]) + c * channel_stride, first + c * channel_stride,
                      static_cast<size_t>(plane) * sizeof(float));
        }
      }
    });
    jobs_.clear();
    waiting_ = 0;
  }

 private:
  /// A frame and where it is shown in one view.
  struct Job {
    size_t frame;
    std::vector<Wanted> places;
  };

  ViewSampler& sampler_;
  size_t frame_bytes_;
  size_t capacity_;
  size_t waiting_ = 0;
  std::vector<std::vector<uint8_t>> frames_;
  std::vector<Job> jobs_;
};

ViewSampler::ViewSampler(FrameDecoder& decoder, std::string path,
                         std::vector<ata_clip_options> views, int64_t max_bytes)
    : decoder_(decoder), path_(std::move(path)), views_(std::move(views)), max_bytes_(max_bytes) {
  for (const ata_clip_options& view : views_) clip_times(view, decoder_.info(), path_);
}

std::optional<SampledClip> ViewSampler::next(const std::atomic<bool>* cancelled) {
  if (next_ == views_.size()) return std::nullopt;
  if (next_ == pass_end_) begin_pass();
  const size_t place = next_ - pass_begin_;
  read(needed_[place], cancelled);
  transforms_[place].reset();
  ++next_;
  return std::move(clips_[place]);
}

/// Takes as many views as there is memory for.
void ViewSampler::begin_pass() {
  pass_begin_ = next_;
  read_ = 0;
  size_t end = next_, frames = 0;
  while (end < views_.size() &&
         (end == next_ || frames + static_cast<size_t>(views_[end].frames) <= kMaxWanted)) {
    frames += static_cast<size_t>(views_[end++].frames);
  }
  while (plan_pass(end) > max_bytes_ && end - pass_begin_ > 1) end -= (end - pass_begin_) / 2;
  pass_end_ = end;
  clips_ = std::vector<SampledClip>(end - pass_begin_);
  transforms_ = std::vector<std::optional<FrameTransform>>(end - pass_begin_);
}

/// Sets wanted_ and needed_ for a pass up to view `end`. Returns the most bytes that views take at
/// a time.
int64_t ViewSampler::plan_pass(size_t end) {
  wanted_.clear();
  for (size_t view = pass_begin_; view < end; ++view) {
    const std::vector<double> times = clip_times(views_[view], decoder_.info(), path_);
    for (size_t frame = 0; frame < times.size(); ++frame) {
      wanted_.push_back({times[frame], view, frame});
    }
  }
  std::stable_sort(wanted_.begin(), wanted_.end(),
                   [](const Wanted& a, const Wanted& b) { return a.time < b.time; });
  constexpr size_t kNever = SIZE_MAX;
  std::vector<size_t> begun(end - pass_begin_, kNever);
  needed_.assign(end - pass_begin_, 0);
  for (size_t i = 0; i < wanted_.size(); ++i) {
    const size_t place = wanted_[i].view - pass_begin_;
    begun[place] = std::min(begun[place], i);
    needed_[place] = i + 1;
  }
  std::vector<int64_t> change(wanted_.size() + 1);
  for (size_t place = 0; place < needed_.size(); ++place) {
    if (place > 0) needed_[place] = std::max(needed_[place], needed_[place - 1]);
    const int64_t bytes = bytes_of(views_[pass_begin_ + place]);
    change[begun[place]] += bytes;
    change[needed_[place]] -= bytes;
  }
  int64_t taken = 0, most = 0;
  for (const int64_t bytes : change) most = std::max(most, taken += bytes);
  return most;
}

/// Reads the first `end` of wanted_ that were not read yet.
void ViewSampler::read(size_t end, const std::atomic<bool>* cancelled) {
  if (read_ >= end) return;
  std::vector<double> times;
  for (size_t i = read_; i < end; ++i) {
    times.push_back(wanted_[i].time);
    const size_t place = wanted_[i].view - pass_begin_;
    SampledClip& clip = clips_[place];
    if (clip.clip.defined()) continue;
    const ata_clip_options& view = views_[wanted_[i].view];
    clip.clip = Tensor({1, 3, view.frames, view.size, view.size}, DType::kF32);
    clip.times.resize(static_cast<size_t>(view.frames));
    transforms_[place].emplace(view, decoder_.info().height, decoder_.info().width);
  }
  FrameQueue queue(*this, times.size());
  decoder_.read(times, cancelled, [&](const DecodedFrame& frame) {
    const auto first = wanted_.begin() + static_cast<std::ptrdiff_t>(read_ + frame.first);
    std::vector<Wanted> places(first, first + static_cast<std::ptrdiff_t>(frame.count));
    std::stable_sort(places.begin(), places.end(),
                     [](const Wanted& a, const Wanted& b) { return a.view < b.view; });
    for (const Wanted& place : places) {
      clips_[place.view - pass_begin_].times[place.frame] = frame.time;
    }
    queue.add(frame.rgb, places);
  });
  queue.flush();
  read_ = end;
}

}  // namespace ata
