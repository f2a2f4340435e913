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
    .scale = absent<&Kernels::scale>,
    .scale_rows = absent<&Kernels::scale_rows>,
    .transpose = absent<&Kernels::transpose>,
    .mean_rows = absent<&Kernels::mean_rows>,
    .mean_rows_gradient = absent<&Kernels::mean_rows_gradient>,
    .gather_rows = absent<&Kernels::gather_rows>,
    .gather_rows_gradient = absent<&Kernels::gather_rows_gradient>,
    .dropout = absent<&Kernels::dropout>,
    .pack_linear = absent<&Kernels::pack_linear>,
    .linear = absent<&Kernels::linear>,
    .linear_input_gradient = absent<&Kernels::linear_input_gradient>,
    .linear_weight_gradient = absent<&Kernels::linear_weight_gradient>,
    .linear_bias_gradient = absent<&Kernels::linear_bias_gradient>,
    .activate = absent<&Kernels::activate>,
    .activate_gradient = absent<&Kernels::activate_gradient>,
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
    .soft_weights = absent<&Kernels::soft_weights>,
    .soft_weights_gradient = absent<&Kernels::soft_weights_gradient>,
    .divide = absent<&Kernels::divide>,
    .negative_row_dots = absent<&Kernels::negative_row_dots>,
    .extract_patches = absent<&Kernels::extract_patches>,
    .extract_patches_gradient = absent<&Kernels::extract_patches_gradient>,
    .embed_tokens = absent<&Kernels::embed_tokens>,
    .embed_tokens_gradient = absent<&Kernels::embed_tokens_gradient>,
    .softmax_cross_entropy = absent<&Kernels::softmax_cross_entropy>,
    .sums_of_squares = absent<&Kernels::sums_of_squares>,
    .scale_by = absent<&Kernels::scale_by>,
    .adamw = absent<&Kernels::adamw>,
    .sgd = absent<&Kernels::sgd>,
};

}  // namespace

const Kernels& table() {
  return kTable;
}

}  // namespace ata::cuda
