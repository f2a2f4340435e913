#ifndef ATA_BENCH_CUDA_PEER_H_
#define ATA_BENCH_CUDA_PEER_H_

#include <iosfwd>

#include "setting.h"

namespace ata::bench {

/// Lets another program time the library in turns with itself: reads requests, a JSON object a
/// line, until the input ends, and answers each by a line. An answer with `error` is a failure.
///
///   {"do": "load", "model": PATH}
///       the checkpoint of what follows
///   {"do": "logits", "precision": "f32"|"bf16", "clips": PATH, "batch": B}
///       of clips f32 [B, 3, T, H, W], raw in a file; answers {"logits": [...]}
///   {"do": "losses", "precision": ..., "clips": PATH, "batch": B, "labels": [...], "rate": R,
///    "steps": S}
///       S training steps by AdamW; answers {"losses": [...]}
///   {"do": "forward"|"step", "mode": ..., "precision": ..., "batch": B}
///       answers {"seconds": the median of a call, "device": the GPU}
///   {"do": "assignment", "kind": "easy"|"hard", "count": C, "size": N, "values": PATH}
///       writes the matrices f32 [C, N, N], raw; answers {"seconds", "totals"}
/// What is loaded and made for a request stays for the next one like it.
void serve(const Setting& setting, std::istream& requests, std::ostream& answers);

}  // namespace ata::bench

#endif  // ATA_BENCH_CUDA_PEER_H_
