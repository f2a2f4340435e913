#include "cuda/table.h"

#include "base/error.h"
#include "cuda/entries.h"

namespace ata::cuda {
namespace {

// Stands where an entry is still to come.
template <auto Member>
struct Absent;
template <typename Result, typename... Parameters,
          Result (*Kernels::*Member)(Stream&, Parameters...)>
struct Absent<Member> {
  static Result run(Stream&, Parameters...) {
    fail(ATA_UNSUPPORTED, "device 'cuda' cannot train yet; train on device 'cpu'");
  }
};
template <auto Member>
constexpr auto absent = Absent<Member>::run;

constexpr Kernels kTable = {
    .version = kKernelsVersion,
    .convert = convert,
    .add = add,
    .scale = scale,
    .scale_rows = scale_rows,
    .transpose = transpose,
    .mean_rows = mean_rows,
    .mean_rows_gradient = mean_rows_gradient,
    .gather_rows = gather_rows,
    .gather_rows_gradient = gather_rows_gradient,
    .dropout = dropout,
    .pack_linear = pack_linear,
    .linear = linear,
    .linear_input_gradient = linear_input_gradient,
    .linear_weight_gradient = linear_weight_gradient,
    .linear_bias_gradient = linear_bias_gradient,
    .activate = activate,
    .activate_gradient = activate_gradient,
    .layer_norm = absent<&Kernels::layer_norm>,
    .layer_norm_gradient = absent<&Kernels::layer_norm_gradient>,
    .attention = absent<&Kernels::attention>,
    .attention_gradient = absent<&Kernels::attention_gradient>,
    .count_visits = absent<&Kernels::count_visits>,
    .visited_rows = absent<&Kernels::visited_rows>,
    .temporal_attention = absent<&Kernels::temporal_attention>,
    .temporal_attention_gradient = absent<&Kernels::temporal_attention_gradient>,
    .align = absent<&Kernels::align>,
    .assign = absent<&Kernels::assign>,
    .soft_weights = soft_weights,
    .soft_weights_gradient = soft_weights_gradient,
    .divide = divide,
    .negative_row_dots = negative_row_dots,
    .extract_patches = extract_patches,
    .extract_patches_gradient = extract_patches_gradient,
    .embed_tokens = embed_tokens,
    .embed_tokens_gradient = embed_tokens_gradient,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sums_of_squares = sums_of_squares,
    .scale_by = scale_by,
    .adamw = adamw,
    .sgd = sgd,
};

}  // namespace

const Kernels& table() {
  return kTable;
}

}  // namespace ata::cuda
