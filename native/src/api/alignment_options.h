#ifndef ATA_API_ALIGNMENT_OPTIONS_H_
#define ATA_API_ALIGNMENT_OPTIONS_H_

#include "alignment/alignment.h"
#include "ata/ata.h"

namespace ata::api {

/// What a caller says of an alignment.
struct GivenAlignment {
  AlignmentOptions options;
  /// The caller's text; null when none is named.
  const char* device = nullptr;
  /// For ThreadLimit.
  int threads = 0;
};

/// Checks the enum, the threads and the size of the caller's options, or the defaults for NULL, and
/// converts them. Ranges are checked where they are used, against the patches.
GivenAlignment alignment_options(const ata_alignment_options* options);

}  // namespace ata::api

#endif  // ATA_API_ALIGNMENT_OPTIONS_H_
