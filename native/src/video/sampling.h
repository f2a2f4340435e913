#ifndef ATA_VIDEO_SAMPLING_H_
#define ATA_VIDEO_SAMPLING_H_

#include <string>
#include <vector>

#include "ata/ata.h"

namespace ata {

ata_clip_options default_clip_options();

/// Throws ATA_INVALID_ARGUMENT naming the field that is out of range.
void check_clip_options(const ata_clip_options& options);

/// The times, in seconds from the first frame, of a clip's T frames.
///
/// Dense: T times, stride / rate seconds apart. A clip that is placed automatically begins with a
/// whole frame; clip i of n begins at i / (n - 1) of what the clip leaves free, a single one at
/// half of it. Segments (temporal segment networks, Wang et al., ECCV 2016): the middle of each of
/// T equal parts; with n clips the point (i + 1/2) / n of each part.
///
/// A video is short when a dense clip's last frame lies past its end, or when it has fewer frames
/// than there are segments. Then, by `short_policy`: ATA_BAD_VIDEO naming `path`, what is needed
/// and what there is; or frames past the end are the last frame again, or count on from the first
/// (the times are then not ascending). A short clip that is placed automatically begins with the
/// first frame; segments take every frame in turn.
std::vector<double> clip_times(const ata_clip_options& options, const ata_video_info& info,
                               const std::string& path);

}  // namespace ata

#endif  // ATA_VIDEO_SAMPLING_H_
