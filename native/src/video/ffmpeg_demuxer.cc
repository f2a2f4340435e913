#include "video/ffmpeg_demuxer.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace ata::ffmpeg {
namespace {

constexpr int kBufferSize = 1 << 16;

/// Stands in for every file that a demuxer would open besides its own.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char* url, int, AVDictionary**) {
  log(ATA_LOG_WARNING, concat("a video refers to '", url ? url : "", "', which is not opened"));
  return AVERROR(EPERM);
}

bool is_cover(const AVStream* stream) {
  return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

bool is_moving(const AVStream* stream) {
  return stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !is_cover(stream);
}

/// How the `ffmpeg` program rates video streams: by their area, but first those that have data, and
/// then those marked as the default.
int64_t rating_of(const AVStream* stream) {
  int64_t rating = int64_t{stream->codecpar->width} * stream->codecpar->height;
  if (stream->event_flags & AVSTREAM_EVENT_FLAG_NEW_PACKETS) rating += 100'000'000;
  if (stream->disposition & AV_DISPOSITION_DEFAULT) rating += 5'000'000;
  return rating;
}

/// The stream to decode: the one that the `ffmpeg` program takes, cover pictures aside. Null if
/// there is none.
AVStream* choose_stream(AVFormatContext* format) {
  AVStream* chosen = nullptr;
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    AVStream* stream = format->streams[i];
    if (!is_moving(stream)) continue;
    if (!chosen || rating_of(stream) > rating_of(chosen)) chosen = stream;
  }
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    format->streams[i]->discard = format->streams[i] == chosen ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  return chosen;
}

}  // namespace

Demuxer::Demuxer(std::shared_ptr<const InputFile> file) : file_(std::move(file)) {
  if (file_->size() == 0) fail(ATA_BAD_VIDEO, "'", path(), "' is empty");
  try {
    open();
  } catch (...) {
    close();
    throw;
  }
  say_choice();
}

Demuxer::~Demuxer() {
  close();
}

int Demuxer::read_bytes(void* self, uint8_t* buffer, int size) {
  auto* demuxer = static_cast<Demuxer*>(self);
  const uint64_t total = demuxer->file_->size();
  if (demuxer->position_ >= total) return AVERROR_EOF;
  const uint64_t count =
      std::min<uint64_t>(static_cast<uint64_t>(size), total - demuxer->position_);
  try {
    demuxer->file_->read(demuxer->position_, buffer, static_cast<size_t>(count));
  } catch (...) {
    demuxer->exception_ = std::current_exception();
    return AVERROR(EIO);
  }
  demuxer->position_ += count;
  return static_cast<int>(count);
}

int64_t Demuxer::seek_bytes(void* self, int64_t offset, int whence) {
  auto* demuxer = static_cast<Demuxer*>(self);
  const int64_t total = static_cast<int64_t>(demuxer->file_->size());
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return total;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += static_cast<int64_t>(demuxer->position_);
      break;
    case SEEK_END:
      offset += total;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  demuxer->position_ = static_cast<uint64_t>(offset);
  return offset;
}

void Demuxer::rethrow() {
  if (!exception_) return;
  std::exception_ptr exception;
  std::swap(exception, exception_);
  std::rethrow_exception(exception);
}

/// Says which of several video streams is read.
void Demuxer::say_choice() const {
  int count = 0;
  for (unsigned i = 0; i < format_->nb_streams; ++i) count += is_moving(format_->streams[i]);
  if (count < 2) return;
  const AVCodecParameters* parameters = stream_->codecpar;
  log(ATA_LOG_WARNING,
      concat("'", path(), "' has ", count, " video streams; stream ", stream_->index, " (",
             avcodec_get_name(parameters->codec_id), ", ", parameters->width, " x ",
             parameters->height, ") is read, as `ffmpeg` does"));
}

void Demuxer::open() {
  const Listening listening(&complaints_);
  position_ = 0;
  damage_.clear();
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBufferSize));
  if (!buffer) throw std::bad_alloc();
  io_ = avio_alloc_context(buffer, kBufferSize, 0, this, read_bytes, nullptr, seek_bytes);
  if (!io_) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  format_ = avformat_alloc_context();
  if (!format_) throw std::bad_alloc();
  format_->pb = io_;
  format_->io_open = refuse_to_open;
  // Some demuxers open further files by themselves, through protocols: none has this name.
  if (av_opt_set(format_, "protocol_whitelist", "none", 0) < 0) throw std::bad_alloc();

  // The name is not passed on: formats are recognised by content alone.
  int status = avformat_open_input(&format_, nullptr, nullptr, nullptr);
  rethrow();
  if (status < 0) {
    fail(ATA_BAD_VIDEO, "'", path(),
         "' is not a video that can be read: ", error_text(status, complaints_));
  }
  status = avformat_find_stream_info(format_, nullptr);
  rethrow();
  if (status < 0) {
    fail(ATA_BAD_VIDEO, "'", path(), "' is corrupt: ", error_text(status, complaints_));
  }
  stream_ = choose_stream(format_);
  if (!stream_) {
    bool audio = false;
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
      audio |= format_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    fail(ATA_BAD_VIDEO, "'", path(), "' has no video stream", audio ? ", only audio" : "",
         "; give a file with moving pictures");
  }
}

void Demuxer::close() {
  avformat_close_input(&format_);
  if (io_) {
    av_freep(&io_->buffer);
    avio_context_free(&io_);
  }
  stream_ = nullptr;
}

void Demuxer::restart() {
  close();
  open();
}

bool Demuxer::read(AVPacket* packet) {
  const Listening listening(&complaints_);
  // A file has no later: a demuxer that keeps saying "try again" is stuck.
  for (int retries = 0; retries < 1000;) {
    av_packet_unref(packet);
    const int status = av_read_frame(format_, packet);
    rethrow();
    if (status == AVERROR(EAGAIN)) {
      ++retries;
      continue;
    }
    if (status < 0) {
      if (status != AVERROR_EOF) damage_ = error_text(status, complaints_);
      return false;
    }
    if (packet->stream_index == stream_->index) return true;
  }
  damage_ = "no data";
  return false;
}

bool Demuxer::seek(int64_t timestamp) {
  if (!format_) return false;  // a restart failed
  damage_.clear();
  const int status =
      avformat_seek_file(format_, stream_->index, INT64_MIN, timestamp, timestamp, 0);
  rethrow();
  return status >= 0;
}

}  // namespace ata::ffmpeg
