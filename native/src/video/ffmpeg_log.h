#ifndef ATA_VIDEO_FFMPEG_LOG_H_
#define ATA_VIDEO_FFMPEG_LOG_H_

#include <cstdarg>
#include <mutex>
#include <string>

#include "video/ffmpeg.h"

namespace ata::ffmpeg {

/// What FFmpeg's libraries themselves say about a failure ("moov atom not found"): their latest
/// errors about one file. Thread-safe, because codecs run threads of their own.
class Complaints {
 public:
  void add(const std::string& message);
  /// The latest distinct messages, in order, joined; empty if there are none. Forgets them.
  std::string take();

 private:
  std::mutex mutex_;
  std::string earlier_;
  std::string latest_;
};

/// While it lives, errors that FFmpeg reports on this thread go to `complaints`. Those of a codec's
/// own threads go to the Complaints that its AVCodecContext::opaque points to.
class Listening {
 public:
  explicit Listening(Complaints* complaints);
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  Complaints* before_;
};

/// "Invalid data found when processing input (moov atom not found)": what a status means, and what
/// FFmpeg has said about it.
std::string error_text(int status, Complaints& complaints);

/// FFmpeg's log callback (av_log_set_callback).
void receive_log(void* context, int level, const char* format, va_list arguments);

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_LOG_H_
