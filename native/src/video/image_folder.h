#ifndef ATA_VIDEO_IMAGE_FOLDER_H_
#define ATA_VIDEO_IMAGE_FOLDER_H_

#include <string>
#include <vector>

namespace ata {

/// Paths of a folder's numbered JPEG and PNG frames (`img_00001.jpg`, `7.png`) in the order of
/// their numbers, which may begin anywhere. Names are a prefix, digits and .jpg, .jpeg or .png in
/// any case; other files are ignored. Where there are several prefixes (frames beside optical
/// flow), `img_` is taken. Throws ATA_BAD_VIDEO when there are no frames, when a number is missing
/// or occurs twice, or when it is unclear which sequence is meant.
std::vector<std::string> list_frame_files(const std::string& folder);

}  // namespace ata

#endif  // ATA_VIDEO_IMAGE_FOLDER_H_
