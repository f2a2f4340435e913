#include "clips.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

namespace ata::test {
namespace {

std::string run(const std::string& command, bool must_succeed) {
  std::FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) {
    ADD_FAILURE() << "cannot run: " << command;
    return {};
  }
  std::string output;
  char buffer[1 << 16];
  while (const size_t count = std::fread(buffer, 1, sizeof(buffer), pipe)) {
    output.append(buffer, count);
  }
  const int status = pclose(pipe);
  if (must_succeed && status != 0) ADD_FAILURE() << "status " << status << " from: " << command;
  return output;
}

}  // namespace

bool have_ffmpeg() {
  static const bool found =
      std::system("ffmpeg -version >/dev/null 2>&1 && ffprobe -version >/dev/null 2>&1") == 0;
  return found;
}

std::string ffmpeg(const std::string& arguments) {
  return run("ffmpeg -nostdin -v error -y " + arguments, true);
}

std::string ffprobe(const std::string& arguments) {
  return run("ffprobe -v error " + arguments, true);
}

std::string moving_picture(int width, int height, double fps, double seconds) {
  std::ostringstream text;
  text << "-f lavfi -i \"testsrc2=size=" << width << "x" << height << ":rate=" << fps
       << ":duration=" << seconds << ",noise=alls=12:allf=t:all_seed=7\"";
  return text.str();
}

ReferenceFrames reference_frames(const std::string& clip, int width, int height,
                                 const std::string& filter) {
  ReferenceFrames result;
  const std::string filters = filter.empty() ? "showinfo" : filter + ",showinfo";
  const std::string pixels =
      run("ffmpeg -nostdin -v error -y -i '" + clip + "' -vsync passthrough -vf '" + filters +
              "' -map 0:v:0 -pix_fmt rgb24 -f rawvideo - 2>/dev/null",
          false);
  const size_t frame_bytes = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  for (size_t at = 0; at + frame_bytes <= pixels.size(); at += frame_bytes) {
    result.frames.push_back(pixels.substr(at, frame_bytes));
  }
  EXPECT_EQ(pixels.size() % frame_bytes, 0u) << clip;
  // Times come from a second run, so that they cannot be mixed up with the pixels.
  std::istringstream lines(run("ffmpeg -nostdin -v info -y -i '" + clip +
                                   "' -vsync passthrough -vf showinfo -map 0:v:0 -f null - 2>&1",
                               false));
  std::string line;
  while (std::getline(lines, line)) {
    const size_t at = line.find("pts_time:");
    if (at != std::string::npos)
      result.times.push_back(std::strtod(line.c_str() + at + 9, nullptr));
  }
  EXPECT_EQ(result.times.size(), result.frames.size()) << clip;
  if (!result.times.empty()) {
    const double first = result.times.front();
    for (double& time : result.times) time -= first;
  }
  return result;
}

double psnr(const uint8_t* a, const uint8_t* b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const double difference = double{static_cast<double>(a[i])} - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(count) / sum);
}

Tensor synthetic_frame(int height, int width, double time) {
  Tensor frame({height, width, 3}, DType::kU8);
  uint8_t* out = frame.data<uint8_t>();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double u = static_cast<double>(x) / width, v = static_cast<double>(y) / height;
      *out++ = static_cast<uint8_t>(127.5 + 120 * std::sin(5 * u + 3 * time));
      *out++ = static_cast<uint8_t>(127.5 + 120 * std::sin(4 * v - 2 * time + u));
      *out++ = static_cast<uint8_t>(127.5 + 120 * std::cos(3 * (u + v) + time));
    }
  }
  return frame;
}

}  // namespace ata::test
