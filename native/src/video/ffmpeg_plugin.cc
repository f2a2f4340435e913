#include <new>

#include "base/error.h"
#include "video/ffmpeg.h"
#include "video/ffmpeg_decoder.h"
#include "video/ffmpeg_encoder.h"
#include "video/ffmpeg_images.h"
#include "video/ffmpeg_log.h"
#include "video/ffmpeg_yuv.h"
#include "video/plugin.h"

namespace ata::ffmpeg {

Frame make_frame() {
  Frame frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

Packet make_packet() {
  Packet packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

std::string error_text(int status) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(status, text, sizeof(text));
  return text;
}

namespace {

std::string library_versions() {
  std::string text;
  const auto add = [&text](const char* name, unsigned version) {
    text += concat(text.empty() ? "" : ", ", name, " ", AV_VERSION_MAJOR(version), ".",
                   AV_VERSION_MINOR(version), ".", AV_VERSION_MICRO(version));
  };
  add("libavformat", avformat_version());
  add("libavcodec", avcodec_version());
  add("libavutil", avutil_version());
  add("libswscale", swscale_version());
  return text;
}

}  // namespace
}  // namespace ata::ffmpeg

#if defined(_WIN32)
#define ATA_PLUGIN_EXPORT __declspec(dllexport)
#else
#define ATA_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

extern "C" ATA_PLUGIN_EXPORT const ata::PluginHeader* ata_video_plugin(
    const ata::PluginHost* host) {
  static const ata::VideoPlugin plugin = {
      {ata::kVideoPluginVersion, ata::build_version()},
      ata::ffmpeg::library_versions,
      ata::ffmpeg::open_file,
      ata::ffmpeg::open_images,
      ata::ffmpeg::create_encoder,
      ata::ffmpeg::encode_image,
      ata::ffmpeg::create_yuv_unpacker,
  };
  ata::install_plugin_host(host);
  // One sink per process: an application that logs FFmpeg itself must install its own afterwards.
  av_log_set_callback(ata::ffmpeg::receive_log);
  return &plugin.header;
}
