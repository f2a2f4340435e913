#ifndef ATA_VIDEO_FFMPEG_IMAGES_H_
#define ATA_VIDEO_FFMPEG_IMAGES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ata/ata.h"
#include "video/plugin.h"

namespace ata::ffmpeg {

/// VideoPlugin::open_images.
std::unique_ptr<FrameDecoder> open_images(std::vector<std::string> files,
                                          const ata_video_options& options);

}  // namespace ata::ffmpeg

#endif  // ATA_VIDEO_FFMPEG_IMAGES_H_
