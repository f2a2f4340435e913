#ifndef ATA_BENCH_CUDA_PASSES_H_
#define ATA_BENCH_CUDA_PASSES_H_

#include "setting.h"

namespace ata::bench {

/// Prints what a forward pass and a training step of ViT-B/16 with exact alignment in bf16 consist
/// of, entry by entry for batches of 1 and 16, and what memory the step needs; Markdown, as in
/// docs/cuda.md. Times are those of the device, or "not measured".
void print_passes(const Setting& setting);

}  // namespace ata::bench

#endif  // ATA_BENCH_CUDA_PASSES_H_
