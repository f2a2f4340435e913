#ifndef ATA_CUDA_ENTRIES_H_
#define ATA_CUDA_ENTRIES_H_

#include <type_traits>

#include "backend/kernels.h"

/// The CUDA plugin's entries of the kernel table; backend/kernels.h says what each one takes and
/// does.
namespace ata::cuda {

template <typename Pointer>
using Entry = std::remove_pointer_t<Pointer>;

Entry<decltype(Kernels::convert)> convert;
Entry<decltype(Kernels::add)> add;
Entry<decltype(Kernels::scale)> scale;
Entry<decltype(Kernels::scale_rows)> scale_rows;
Entry<decltype(Kernels::transpose)> transpose;
Entry<decltype(Kernels::mean_rows)> mean_rows;
Entry<decltype(Kernels::mean_rows_gradient)> mean_rows_gradient;
Entry<decltype(Kernels::gather_rows)> gather_rows;
Entry<decltype(Kernels::gather_rows_gradient)> gather_rows_gradient;
Entry<decltype(Kernels::dropout)> dropout;
Entry<decltype(Kernels::pack_linear)> pack_linear;
Entry<decltype(Kernels::linear)> linear;
Entry<decltype(Kernels::linear_input_gradient)> linear_input_gradient;
Entry<decltype(Kernels::linear_weight_gradient)> linear_weight_gradient;
Entry<decltype(Kernels::linear_bias_gradient)> linear_bias_gradient;
Entry<decltype(Kernels::activate)> activate;
Entry<decltype(Kernels::activate_gradient)> activate_gradient;
Entry<decltype(Kernels::layer_norm)> layer_norm;
Entry<decltype(Kernels::layer_norm_gradient)> layer_norm_gradient;
Entry<decltype(Kernels::attention)> attention;
Entry<decltype(Kernels::attention_gradient)> attention_gradient;
Entry<decltype(Kernels::count_visits)> count_visits;
Entry<decltype(Kernels::visited_rows)> visited_rows;
Entry<decltype(Kernels::temporal_attention)> temporal_attention;
Entry<decltype(Kernels::temporal_attention_gradient)> temporal_attention_gradient;
Entry<decltype(Kernels::align)> align;
Entry<decltype(Kernels::assign)> assign;
Entry<decltype(Kernels::soft_weights)> soft_weights;
Entry<decltype(Kernels::soft_weights_gradient)> soft_weights_gradient;
Entry<decltype(Kernels::divide)> divide;
Entry<decltype(Kernels::negative_row_dots)> negative_row_dots;
Entry<decltype(Kernels::extract_patches)> extract_patches;
Entry<decltype(Kernels::extract_patches_gradient)> extract_patches_gradient;
Entry<decltype(Kernels::embed_tokens)> embed_tokens;
Entry<decltype(Kernels::embed_tokens_gradient)> embed_tokens_gradient;
Entry<decltype(Kernels::softmax_cross_entropy)> softmax_cross_entropy;
Entry<decltype(Kernels::sums_of_squares)> sums_of_squares;
Entry<decltype(Kernels::scale_by)> scale_by;
Entry<decltype(Kernels::adamw)> adamw;
Entry<decltype(Kernels::sgd)> sgd;

}  // namespace ata::cuda

#endif  // ATA_CUDA_ENTRIES_H_
