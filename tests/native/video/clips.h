#ifndef ATA_TESTS_VIDEO_CLIPS_H_
#define ATA_TESTS_VIDEO_CLIPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "support/errors.h"
#include "support/scratch.h"
#include "tensor/tensor.h"

// Clips for the tests, made by the `ffmpeg` program, and that program's view of them.

namespace ata::test {

/// Whether the `ffmpeg` and `ffprobe` programs are there.
bool have_ffmpeg();

/// Runs `ffmpeg` with arguments for the shell. Returns its standard output; fails the test if it
/// exits with an error.
std::string ffmpeg(const std::string& arguments);
std::string ffprobe(const std::string& arguments);

/// A moving test picture with noise as an input: arguments for ffmpeg().
std::string moving_picture(int width, int height, double fps, double seconds);

/// Every frame that the `ffmpeg` program shows, u8 RGB of `width` x `height`, and its time in
/// seconds from the first.
struct ReferenceFrames {
  std::vector<std::string> frames;
  std::vector<double> times;
};
/// `filter`: video filters of ffmpeg, e.g. "scale=427:256"; may be empty.
ReferenceFrames reference_frames(const std::string& clip, int width, int height,
                                 const std::string& filter);

/// Peak signal-to-noise ratio in dB; infinite for equal data.
double psnr(const uint8_t* a, const uint8_t* b, size_t count);

/// A picture that is smooth, coloured and different for each `time`.
Tensor synthetic_frame(int height, int width, double time);

}  // namespace ata::test

#endif  // ATA_TESTS_VIDEO_CLIPS_H_
