#ifndef ATA_BACKEND_KERNEL_NAMES_H_
#define ATA_BACKEND_KERNEL_NAMES_H_

#include <type_traits>

#include "backend/kernels.h"

/// Applies X to the name of every entry of Kernels, in its order: for the declarations and the
/// table of a device.
#define ATA_KERNEL_NAMES(X)      \
  X(convert)                     \
  X(add)                         \
  X(scale)                       \
  X(scale_rows)                  \
  X(transpose)                   \
  X(mean_rows)                   \
  X(mean_rows_gradient)          \
  X(gather_rows)                 \
  X(gather_rows_gradient)        \
  X(dropout)                     \
  X(drop_path)                   \
  X(pack_linear)                 \
  X(linear)                      \
  X(linear_input_gradient)       \
  X(linear_weight_gradient)      \
  X(linear_bias_gradient)        \
  X(activate)                    \
  X(activate_gradient)           \
  X(layer_norm)                  \
  X(layer_norm_gradient)         \
  X(attention)                   \
  X(attention_gradient)          \
  X(count_visits)                \
  X(visited_rows)                \
  X(temporal_attention)          \
  X(temporal_attention_gradient) \
  X(align)                       \
  X(assign)                      \
  X(soft_weights)                \
  X(soft_weights_gradient)       \
  X(divide)                      \
  X(negative_row_dots)           \
  X(extract_patches)             \
  X(extract_patches_gradient)    \
  X(embed_tokens)                \
  X(embed_tokens_gradient)       \
  X(softmax_cross_entropy)       \
  X(sums_of_squares)             \
  X(scale_by)                    \
  X(clip_scale)                  \
  X(adamw)                       \
  X(sgd)

namespace ata {

/// The type of the function that Kernels::name points to.
template <typename Pointer>
using KernelEntry = std::remove_pointer_t<Pointer>;

#define ATA_COUNT(name) +1
static_assert(sizeof(Kernels) == sizeof(void*) * (1 ATA_KERNEL_NAMES(ATA_COUNT)),
              "ATA_KERNEL_NAMES lacks an entry of Kernels");
#undef ATA_COUNT

}  // namespace ata

#endif  // ATA_BACKEND_KERNEL_NAMES_H_
