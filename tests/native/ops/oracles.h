#ifndef ATA_TESTS_OPS_ORACLES_H_
#define ATA_TESTS_OPS_ORACLES_H_

#include "op_check.h"

/// The operations in double precision, as plain as possible; the references of the tests.
namespace ata::testing {

/// softmax(q k^T scale) v of each head over the given rows of qkv `[*, 3 * dim]`; the result for
/// rows[i] is returned as row i of `[rows.size(), dim]`.
Doubles attend_rows(const Doubles& qkv, const std::vector<int64_t>& rows, int64_t dim, int heads);

/// ops/attention.h over (groups, frames, patches).
Doubles attention_oracle(const Doubles& qkv, int64_t groups, int64_t frames, int64_t patches,
                         int64_t dim, int heads);

/// ops/temporal_attention.h; `trajectories` is [B, T, N].
Doubles temporal_attention_oracle(const Doubles& qkv, int64_t batch, int64_t frames,
                                  int64_t patches, int64_t dim, int heads,
                                  const std::vector<int32_t>& trajectories);

/// ops/layer_norm.h; gamma and beta `[D]`.
Doubles layer_norm_oracle(const Doubles& x, const Doubles& gamma, const Doubles& beta,
                          double epsilon = 1e-6);

/// x `[rows, in]` times the transpose of w `[out, in]`, plus b unless it is empty.
Doubles linear_oracle(const Doubles& x, const Doubles& w, const Doubles& b, int64_t in,
                      int64_t out);
/// x itself for kNone.
double activation_oracle(Activation activation, double x);

}  // namespace ata::testing

#endif  // ATA_TESTS_OPS_ORACLES_H_
