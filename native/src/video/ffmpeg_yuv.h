#ifndef ATA_VIDEO_FFMPEG_YUV_H_
#define ATA_VIDEO_FFMPEG_YUV_H_

#include <memory>

#include "ata/ata.h"
#include "video/plugin.h"

namespace ata::ffmpeg {

/// VideoPlugin::create_yuv_unpacker.
std::unique_ptr<FrameUnpacker> create_yuv_unpacker(const ata_frame_layout& layout);

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_YUV_H_
