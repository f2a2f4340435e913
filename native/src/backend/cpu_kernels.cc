#include "backend/kernels.h"
#include "ops/cpu.h"

namespace ata {

const Kernels& cpu_kernels() {
  static constexpr Kernels table = {
      .version = kKernelsVersion,
      .device = "cpu",
      .convert = cpu::convert,
      .add = cpu::add,
      .scale = cpu::scale,
      .scale_rows = cpu::scale_rows,
      .mean_rows = cpu::mean_rows,
      .mean_rows_gradient = cpu::mean_rows_gradient,
      .gather_rows = cpu::gather_rows,
      .gather_rows_gradient = cpu::gather_rows_gradient,
      .dropout = cpu::dropout,
      .pack_linear = cpu::pack_linear,
      .linear = cpu::linear,
      .linear_input_gradient = cpu::linear_input_gradient,
      .linear_weight_gradient = cpu::linear_weight_gradient,
      .linear_bias_gradient = cpu::linear_bias_gradient,
      .activate = cpu::activate,
      .activate_gradient = cpu::activate_gradient,
      .layer_norm = cpu::layer_norm,
      .layer_norm_gradient = cpu::layer_norm_gradient,
      .attention = cpu::attention,
      .attention_gradient = cpu::attention_gradient,
      .count_visits = cpu::count_visits,
      .visited_rows = cpu::visited_rows,
      .temporal_attention = cpu::temporal_attention,
      .temporal_attention_gradient = cpu::temporal_attention_gradient,
      .soft_weights = cpu::soft_weights,
      .soft_weights_gradient = cpu::soft_weights_gradient,
      .divide = cpu::divide,
      .negative_row_dots = cpu::negative_row_dots,
      .extract_patches = cpu::extract_patches,
      .extract_patches_gradient = cpu::extract_patches_gradient,
      .embed_tokens = cpu::embed_tokens,
      .embed_tokens_gradient = cpu::embed_tokens_gradient,
      .softmax_cross_entropy = cpu::softmax_cross_entropy,
  };
  return table;
}

}  // namespace ata
