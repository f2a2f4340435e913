#ifndef ATA_VIDEO_FFMPEG_ENCODER_H_
#define ATA_VIDEO_FFMPEG_ENCODER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "video/plugin.h"

namespace ata::ffmpeg {

/// VideoPlugin::create_encoder. Takes the first codec that can be opened: H.264 (or else MPEG-4)
/// for mp4 and mkv, VP9 (or else VP8) for webm, MPEG-4 (or else Motion JPEG) for avi. Throws
/// ATA_UNSUPPORTED if the FFmpeg that Ata was built with has none of them.
std::unique_ptr<FrameEncoder> create_encoder(const EncoderOptions& options);

/// VideoPlugin::encode_image. JPEG is written at quality 2 of FFmpeg's 2 (best) to 31, without
/// chroma subsampling.
std::vector<uint8_t> encode_image(ImageFormat format, const uint8_t* rgb, int width, int height);

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_ENCODER_H_
