#include "video/kept_frames.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace ata {

KeptFrames::KeptFrames(std::string path, std::unique_ptr<FrameDecoder> decoder, int64_t limit)
    : path_(std::move(path)),
      decoder_(std::move(decoder)),
      info_(decoder_->info()),
      clock_(decoder_->clock()),
      frame_bytes_(int64_t{info_.width} * info_.height * 3),
      limit_(limit) {}

void KeptFrames::read(std::span<const double> times, const std::atomic<bool>* cancelled,
                      const FrameSink& sink) {
  keep(cancelled);
  if (decoder_) {
    decoder_->read(times, cancelled, sink);
    return;
  }
  for (size_t first = 0; first < times.size();) {
    check(cancelled);
    const size_t index = index_at(times[first]);
    size_t end = first + 1;
    while (end < times.size() && index_at(times[end]) == index) ++end;
    sink({frames_[index].rgb.get(), frames_[index].time, first, end - first});
    first = end;
  }
}

void KeptFrames::walk(const std::atomic<bool>* cancelled, const FrameVisitor& visit) {
  keep(cancelled);
  if (decoder_) {
    decoder_->walk(cancelled, visit);
    return;
  }
  for (const Kept& frame : frames_) {
    check(cancelled);
    if (!visit(frame.rgb.get(), frame.start, frame.time)) return;
  }
}

/// Decodes all frames, once; lets the decoder go if they fit.
void KeptFrames::keep(const std::atomic<bool>* cancelled) {
  if (tried_) return;
  bool fits = true;
  std::vector<Kept> frames;
  const auto size = static_cast<size_t>(frame_bytes_);
  try {
    decoder_->walk(cancelled, [&](const uint8_t* rgb, int64_t start, double time) {
      fits = static_cast<int64_t>(frames.size() + 1) <= limit_ / frame_bytes_;
      if (!fits) return false;
      // Not cleared first: the pixels overwrite it.
      std::unique_ptr<uint8_t[]> copy(new uint8_t[size]);
      std::memcpy(copy.get(), rgb, size);
      frames.push_back({std::move(copy), start, time});
      return true;
    });
  } catch (const Error& error) {
    if (error.status() == ATA_CANCELLED) throw;
    // Only reads that come upon the damage fail, as they do without keeping.
    log(ATA_LOG_DEBUG, concat("the frames of '", path_, "' are not kept: ", error.what()));
    fits = false;
  }
  tried_ = true;
  if (!fits) return;
  frames_ = std::move(frames);
  decoder_.reset();
}

size_t KeptFrames::index_at(double time) const {
  const auto after =
      std::upper_bound(frames_.begin(), frames_.end(), clock_.tick_of(time),
                       [](int64_t tick, const Kept& frame) { return tick < frame.start; });
  return after == frames_.begin() ? 0 : static_cast<size_t>(after - frames_.begin()) - 1;
}

void KeptFrames::check(const std::atomic<bool>* cancelled) const {
  if (cancelled && cancelled->load(std::memory_order_relaxed)) {
    fail(ATA_CANCELLED, "reading '", path_, "' was cancelled");
  }
}

}  // namespace ata
