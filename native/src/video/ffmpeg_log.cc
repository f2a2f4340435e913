#include "video/ffmpeg_log.h"

#include <cstdio>

#include "base/error.h"
#include "base/log.h"

namespace ata::ffmpeg {
namespace {

thread_local Complaints* listener = nullptr;

/// One line without control characters, which may come from the file: they could make a terminal do
/// things.
std::string one_line(const char* text) {
  constexpr size_t kLongest = 240;
  std::string line;
  for (; *text && line.size() < kLongest; ++text) {
    const auto c = static_cast<unsigned char>(*text);
    line += c < 0x20 || c >= 0x7f ? ' ' : static_cast<char>(c);
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

Complaints* listener_of(void* context) {
  if (listener || !context) return listener;
  const auto* const* kind = static_cast<const AVClass* const*>(context);
  if (*kind != avcodec_get_class()) return nullptr;
  return static_cast<Complaints*>(static_cast<AVCodecContext*>(context)->opaque);
}

}  // namespace

void Complaints::add(const std::string& message) {
  std::lock_guard lock(mutex_);
  if (message.empty() || message == latest_) return;
  earlier_ = std::move(latest_);
  latest_ = message;
}

std::string Complaints::take() {
  std::lock_guard lock(mutex_);
  std::string text = earlier_.empty() ? latest_ : earlier_ + "; " + latest_;
  earlier_.clear();
  latest_.clear();
  return text;
}

Listening::Listening(Complaints* complaints) : before_(listener) {
  listener = complaints;
}

Listening::~Listening() {
  listener = before_;
}

std::string error_text(int status, Complaints& complaints) {
  const std::string said = complaints.take();
  return said.empty() ? error_text(status) : concat(error_text(status), " (", said, ")");
}

void receive_log(void* context, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_INFO) return;
  Complaints* const complaints = level <= AV_LOG_ERROR ? listener_of(context) : nullptr;
  const bool logged = log_enabled(ATA_LOG_DEBUG);
  if (!complaints && !logged) return;
  char text[1024];
  if (complaints) {
    va_list copy;
    va_copy(copy, arguments);
    std::vsnprintf(text, sizeof(text), format, copy);
    va_end(copy);
    complaints->add(one_line(text));
  }
  if (logged) {
    int print_prefix = 1;
    av_log_format_line2(context, level, format, arguments, text, sizeof(text), &print_prefix);
    const std::string line = one_line(text);
    if (!line.empty()) log(ATA_LOG_DEBUG, "ffmpeg: " + line);
  }
}

}  // namespace ata::ffmpeg
