#ifndef ATA_VIDEO_FFMPEG_DEMUXER_H_
#define ATA_VIDEO_FFMPEG_DEMUXER_H_

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "base/file.h"
#include "video/ffmpeg.h"
#include "video/ffmpeg_log.h"

namespace ata::ffmpeg {

/// Reads the packets of a file's main video stream. Only the file itself is ever read: playlists
/// and other formats that name further files or addresses cannot make FFmpeg open them.
class Demuxer {
 public:
  /// Throws ATA_BAD_VIDEO naming the path if the format is unknown or there is no video stream.
  explicit Demuxer(std::shared_ptr<const InputFile> file);
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;

  const std::string& path() const { return file_->path(); }
  AVFormatContext* format() const { return format_; }
  AVStream* stream() const { return stream_; }

  /// The stream's next packet, in the file's order. False at the end of what can be read: the end
  /// of the file, or (with the reason in `damage()`) a place beyond which nothing can be.
  bool read(AVPacket* packet);
  const std::string& damage() const { return damage_; }

  /// What FFmpeg says about the file; for messages.
  Complaints& complaints() { return complaints_; }

  /// Goes to a keyframe at or before `timestamp`, in the stream's time base, as well as the format
  /// can tell. False if it cannot seek; only restart() is certain to work.
  bool seek(int64_t timestamp);

  /// Opens the file again and goes to its first packet.
  void restart();

 private:
  void open();
  void close();
  void rethrow();
  void say_choice() const;
  static int read_bytes(void* self, uint8_t* buffer, int size);
  static int64_t seek_bytes(void* self, int64_t offset, int whence);

  std::shared_ptr<const InputFile> file_;
  uint64_t position_ = 0;
  std::exception_ptr exception_;  // of a callback, until FFmpeg returns to us
  AVIOContext* io_ = nullptr;
  AVFormatContext* format_ = nullptr;
  AVStream* stream_ = nullptr;
  std::string damage_;
  Complaints complaints_;
};

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_DEMUXER_H_
