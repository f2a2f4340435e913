#ifndef ATA_VIDEO_FFMPEG_PACKETS_H_
#define ATA_VIDEO_FFMPEG_PACKETS_H_

#include "video/ffmpeg.h"
#include "video/ffmpeg_demuxer.h"
#include "video/ffmpeg_timeline.h"

namespace ata::ffmpeg {

/// Reads the packets of a video by their numbers.
class PacketReader {
 public:
  PacketReader(Demuxer& demuxer, const Timeline& timeline)
      : demuxer_(demuxer), timeline_(timeline) {}

  /// Says that the demuxer is at the end of the file.
  void after_scan() { next_ = kNone; }

  /// Goes to a packet, a keyframe: by a seek where the times of packets tell them apart, else by
  /// reading up to it from the start of the file.
  void go_to(PacketNumber number);
  /// Opens the file again and goes to its first packet: what is certain to work.
  void restart();
  /// The next packet's number, or kNone after the last packet.
  PacketNumber read(AVPacket* packet);
  /// Whether what came after a seek is not what the file has there: numbers may be wrong since.
  bool lost() const { return lost_; }

 private:
  bool seek(PacketNumber number);
  bool find(PacketNumber number);

  Demuxer& demuxer_;
  const Timeline& timeline_;
  Packet held_ = make_packet();
  bool holds_ = false;  // held_ is the next packet
  PacketNumber next_ = 0;
  bool lost_ = false;
  bool may_seek_ = true;
};

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_PACKETS_H_
