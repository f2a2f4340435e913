#include "cuda/table.h"

#include <utility>

#include "cuda/current_device.h"
#include "cuda/entries.h"
#include "cuda/stream_state.h"

namespace ata::cuda {
namespace {

// An entry, on its stream's GPU.
template <auto Entry>
struct OnDevice;
template <typename Result, typename... Parameters, Result (*Entry)(Stream&, Parameters...)>
struct OnDevice<Entry> {
  static Result run(Stream& stream, Parameters... parameters) {
    const CurrentDevice current(state_of(stream).ordinal());
    return Entry(stream, std::forward<Parameters>(parameters)...);
  }
};
template <auto Entry>
constexpr auto on_device = OnDevice<Entry>::run;

constexpr Kernels kTable = {
    .version = kKernelsVersion,
    .convert = on_device<convert>,
    .add = on_device<add>,
    .scale = on_device<scale>,
    .scale_rows = on_device<scale_rows>,
    .transpose = on_device<transpose>,
    .mean_rows = on_device<mean_rows>,
    .mean_rows_gradient = on_device<mean_rows_gradient>,
    .gather_rows = on_device<gather_rows>,
    .gather_rows_gradient = on_device<gather_rows_gradient>,
    .dropout = on_device<dropout>,
    .pack_linear = on_device<pack_linear>,
    .linear = on_device<linear>,
    .linear_input_gradient = on_device<linear_input_gradient>,
    .linear_weight_gradient = on_device<linear_weight_gradient>,
    .linear_bias_gradient = on_device<linear_bias_gradient>,
    .activate = on_device<activate>,
    .activate_gradient = on_device<activate_gradient>,
    .layer_norm = on_device<layer_norm>,
    .layer_norm_gradient = on_device<layer_norm_gradient>,
    .attention = on_device<attention>,
    .attention_gradient = on_device<attention_gradient>,
    .count_visits = on_device<count_visits>,
    .visited_rows = on_device<visited_rows>,
    .temporal_attention = on_device<temporal_attention>,
    .temporal_attention_gradient = on_device<temporal_attention_gradient>,
    .align = on_device<align>,
    .assign = on_device<assign>,
    .soft_weights = on_device<soft_weights>,
    .soft_weights_gradient = on_device<soft_weights_gradient>,
    .divide = on_device<divide>,
    .negative_row_dots = on_device<negative_row_dots>,
    .extract_patches = on_device<extract_patches>,
    .extract_patches_gradient = on_device<extract_patches_gradient>,
    .embed_tokens = on_device<embed_tokens>,
    .embed_tokens_gradient = on_device<embed_tokens_gradient>,
    .softmax_cross_entropy = on_device<softmax_cross_entropy>,
    .sums_of_squares = on_device<sums_of_squares>,
    .scale_by = on_device<scale_by>,
    .adamw = on_device<adamw>,
    .sgd = on_device<sgd>,
};

}  // namespace

const Kernels& table() {
  return kTable;
}

}  // namespace ata::cuda
