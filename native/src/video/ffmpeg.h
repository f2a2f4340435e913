#ifndef ATA_VIDEO_FFMPEG_H_
#define ATA_VIDEO_FFMPEG_H_

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

// Owners of FFmpeg's objects. Only the plugin includes this.

namespace ata::ffmpeg {

struct Deleter {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};

using Frame = std::unique_ptr<AVFrame, Deleter>;
using Packet = std::unique_ptr<AVPacket, Deleter>;
using CodecContext = std::unique_ptr<AVCodecContext, Deleter>;
using Scaler = std::unique_ptr<SwsContext, Deleter>;

/// These throw std::bad_alloc.
Frame make_frame();
Packet make_packet();

/// What an FFmpeg status means: "Invalid data found when processing input".
std::string error_text(int status);

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_H_
