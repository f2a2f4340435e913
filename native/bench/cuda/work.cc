#include "work.h"

#include <algorithm>

#include "alignment/alignment.h"
#include "assignment/assignment.h"

namespace ata::bench {

Work& Work::operator+=(const Work& other) {
  bytes += other.bytes;
  bf16_operations += other.bf16_operations;
  f32_operations += other.f32_operations;
  return *this;
}

double bound(const Work& work, const Ceilings& ceilings) {
  return std::max(work.bytes / ceilings.bytes, work.bf16_operations / ceilings.bf16_operations +
                                                   work.f32_operations / ceilings.f32_operations);
}

namespace work {
namespace {

double bytes(const Tensor& tensor) {
  return tensor ? static_cast<double>(tensor.bytes()) : 0;
}

// Memory that is gone through once.
template <typename... Tensors>
Work once(const Tensors&... tensors) {
  return {.bytes = (0.0 + ... + bytes(tensors))};
}

// What is added to is read as well.
template <typename... Tensors>
Work added(const Tensors&... tensors) {
  return {.bytes = 2 * (0.0 + ... + bytes(tensors))};
}

Work written(const Tensor& tensor, bool accumulate) {
  return accumulate ? added(tensor) : once(tensor);
}

Work products(double operations, DType factors) {
  Work work;
  (factors == DType::kBF16 ? work.bf16_operations : work.f32_operations) = operations;
  return work;
}

Work operator+(Work a, const Work& b) {
  return a += b;
}

// A matrix product with the inner extent `inner`.
Work product(double rows, double inner, double columns, DType factors) {
  return products(2 * rows * inner * columns, factors);
}

double rows_of(const Tensor& matrix) {
  return static_cast<double>(matrix.dim(0));
}
double columns_of(const Tensor& matrix) {
  return static_cast<double>(matrix.dim(1));
}

// So many of the products of attention: one multiplies the queries of a sequence by its keys, or
// matrices as large.
Work attention_products(double count, double sequences, double length, const Tensor& qkv) {
  return products(count * 2 * sequences * length * length * columns_of(qkv) / 3, qkv.dtype());
}

// Every pair of patches of neighbouring frames.
Work frame_products(double count, double pairs, const ClipLayout& layout, const Tensor& features) {
  const auto patches = static_cast<double>(layout.patches);
  return products(count * 2 * pairs * patches * patches * columns_of(features), DType::kF32);
}

// Rows of x that an index asks for, each at most once.
double gathered(const Tensor& x, const Tensor& index) {
  const double asked = static_cast<double>(index.count()) * columns_of(x) *
                       static_cast<double>(dtype_size(x.dtype()));
  return std::min(bytes(x), asked);
}

}  // namespace

Work convert(const Tensor& from, Tensor& to) {
  return once(from, to);
}
Work add(const Tensor& x, Tensor& y) {
  return once(x) + added(y);
}
Work scale(const Tensor& factor, Tensor& y) {
  return once(factor) + added(y);
}
Work scale_rows(const Tensor& x, const Tensor& scale, const Tensor& residual, Tensor& y) {
  return once(x, scale, residual, y);
}
Work transpose(const Tensor& x, Tensor& y) {
  return once(x, y);
}
Work mean_rows(const Tensor& x, int64_t, Tensor& y) {
  return once(x, y);
}
Work mean_rows_gradient(const Tensor& dy, int64_t, Tensor& dx) {
  return once(dy) + added(dx);
}
Work gather_rows(const Tensor& x, const Tensor& index, const Tensor& weight, Tensor& y) {
  return once(index, weight, y) + Work{.bytes = gathered(x, index)};
}
Work gather_rows_gradient(const Tensor& dy, const Tensor& index, const Tensor& weight, Tensor& dx) {
  return once(dy, index, weight) + Work{.bytes = 2 * gathered(dx, index)};
}
Work dropout(const Tensor& x, const RandomDrop& drop, Tensor& y) {
  return once(x, drop.first_sequence, y);
}
Work drop_path(const RandomDrop& drop, int64_t, int64_t, const Tensor& scale, Tensor& factors) {
  return once(drop.first_sequence, scale, factors);
}

Work pack_linear(const Tensor& weight, DType dtype) {
  return once(weight) + Work{.bytes = static_cast<double>(weight.count()) *
                                      static_cast<double>(dtype_size(dtype))};
}
Work linear(const Tensor& x, const Tensor& weight, const PackedMatrix* packed, const Tensor& bias,
            Activation, bool accumulate, Tensor& y) {
  const double rows = rows_of(x), in = columns_of(x), out = columns_of(y);
  const double element = packed ? static_cast<double>(dtype_size(packed->dtype())) : 0;
  return once(x, bias) + (packed ? Work{.bytes = in * out * element} : once(weight)) +
         written(y, accumulate) + product(rows, in, out, x.dtype());
}
Work linear_input_gradient(const Tensor& dy, const Tensor& weight, Tensor& dx) {
  return once(dy, weight, dx) + product(rows_of(dy), columns_of(dy), columns_of(dx), dy.dtype());
}
Work linear_weight_gradient(const Tensor& dy, const Tensor& x, bool accumulate, Tensor& dweight) {
  return once(dy, x) + written(dweight, accumulate) +
         product(columns_of(dy), rows_of(dy), columns_of(x), dy.dtype());
}
Work linear_bias_gradient(const Tensor& dy, Tensor& dbias) {
  return once(dy) + added(dbias);
}
Work activate(const Tensor& x, Activation, Tensor& y) {
  return once(x, y);
}
Work activate_gradient(const Tensor& x, Activation, const Tensor& dy, Tensor& dx) {
  return once(x, dy, dx);
}

Work layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float, Tensor& y,
                Tensor& mean, Tensor& rstd) {
  return once(x, gamma, beta, y, mean, rstd);
}
Work layer_norm_gradient(const Tensor& dy, const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& rstd, bool accumulate, Tensor& dx, Tensor& dgamma,
                         Tensor& dbeta) {
  return once(dy, x, gamma, mean, rstd) + written(dx, accumulate) + added(dgamma, dbeta);
}

Work attention(const Tensor& qkv, const ClipLayout& layout, int, Tensor& y, Tensor& log_sum,
               Tensor& class_rows) {
  return once(qkv, y, log_sum, class_rows) +
         attention_products(2, static_cast<double>(layout.frame_count()),
                            static_cast<double>(1 + layout.patches), qkv);
}
// The scores once more, and the gradients of scores, queries, keys and values.
Work attention_gradient(const Tensor& dy, const Tensor& qkv, const Tensor& y, const Tensor& log_sum,
                        const Tensor& class_rows, const ClipLayout& layout, int, Tensor& dqkv) {
  return once(dy, qkv, y, log_sum, class_rows, dqkv) +
         attention_products(5, static_cast<double>(layout.frame_count()),
                            static_cast<double>(1 + layout.patches), qkv);
}
Work count_visits(const Tensor& trajectories, Tensor& visits) {
  return once(trajectories, visits);
}
Work visited_rows(const Tensor& visits, Tensor& rows) {
  return once(visits, rows);
}
Work temporal_attention(const Tensor& qkv, const ClipLayout& layout, int,
                        const Tensor& trajectories, const Tensor& visits, Tensor& y) {
  return once(qkv, trajectories, visits, y) +
         attention_products(2, static_cast<double>(layout.clips * layout.patches),
                            static_cast<double>(layout.frames), qkv);
}
Work temporal_attention_gradient(const Tensor& dy, const Tensor& qkv, const ClipLayout& layout, int,
                                 const Tensor& trajectories, const Tensor& visits, Tensor& dqkv) {
  return once(dy, qkv, trajectories, visits, dqkv) +
         attention_products(5, static_cast<double>(layout.clips * layout.patches),
                            static_cast<double>(layout.frames), qkv);
}

Work align(const Tensor& features, const ClipLayout& layout, const AlignmentOptions& options,
           const ClipPart& part, std::shared_ptr<AlignmentScratch>&, Tensor& column_duals,
           Tensor& trajectories, Tensor& similarities) {
  const auto pairs =
      static_cast<double>(layout.pairs() + (part.frames_before > 0 ? layout.clips : 0));
  const Work moved = once(features, trajectories, similarities) + added(column_duals);
  const auto patches = static_cast<double>(layout.patches);
  double partners = patches;
  if (options.method == AlignmentMethod::kNone) partners = similarities ? 1 : 0;
  if (options.method == AlignmentMethod::kWindow) {
    const double side = 2.0 * options.window_radius + 1;
    partners = std::min(patches, side * side);
  }
  const double operations = 2 * pairs * patches * partners * columns_of(features);
  // Each factor is the sum of two bf16, of whose four products three are summed.
  if (options.product == SimilarityProduct::kFastest &&
      options.method != AlignmentMethod::kWindow && options.method != AlignmentMethod::kNone) {
    return moved + products(3 * operations, DType::kBF16);
  }
  return moved + products(operations, DType::kF32);
}
Work assign(const Tensor& values, const AssignmentOptions&, std::shared_ptr<AssignmentScratch>*,
            Tensor& column_duals, Tensor& matching, Tensor& totals) {
  return once(values, matching, totals) + added(column_duals);
}
Work soft_weights(const Tensor& features, const ClipLayout& layout, float, Tensor& weights) {
  return once(features, weights) +
         frame_products(1, static_cast<double>(layout.pairs()), layout, features);
}
Work soft_weights_gradient(const Tensor& features, const ClipLayout& layout, float,
                           const Tensor& weights, const Tensor& dweights, Tensor& dfeatures) {
  return once(features, weights, dweights) + added(dfeatures) +
         frame_products(2, static_cast<double>(layout.pairs()), layout, features);
}
Work divide(const Tensor& dividend, const Tensor& divisor, Tensor& y) {
  return once(dividend, divisor, y);
}
Work negative_row_dots(const Tensor& a, const Tensor& b, const Tensor& divisor, Tensor& y) {
  return once(a, b, divisor, y);
}

Work extract_patches(const Tensor& clip, int64_t, Tensor& y) {
  return once(clip, y);
}
Work extract_patches_gradient(const Tensor& dy, int64_t, Tensor& dclip) {
  return once(dy) + added(dclip);
}
Work embed_tokens(const Tensor& patches, const Tensor& cls_token, const Tensor& pos_embed,
                  const Tensor& time_embed, const ClipLayout&, Tensor& y) {
  return once(patches, cls_token, pos_embed, time_embed, y);
}
Work embed_tokens_gradient(const Tensor& dy, const ClipLayout&, Tensor& dcls_token,
                           Tensor& dpos_embed, Tensor& dtime_embed) {
  return once(dy) + added(dcls_token, dpos_embed, dtime_embed);
}
Work softmax_cross_entropy(const Tensor& logits, const Tensor& targets, float, Tensor& loss,
                           Tensor& dlogits) {
  return once(logits, targets, loss, dlogits);
}

Work sums_of_squares(std::span<const Tensor> x, Tensor& sums) {
  Work total = once(sums);
  for (const Tensor& tensor : x) total += once(tensor);
  return total;
}
Work scale_by(float, const Tensor& x, bool accumulate, Tensor& y) {
  return once(x) + written(y, accumulate);
}
Work clip_scale(const Tensor& sums, float, Tensor& scale) {
  return once(sums, scale);
}
Work adamw(const Tensor& gradient_scale, std::span<AdamwUpdate> updates) {
  Work total = once(gradient_scale);
  for (const AdamwUpdate& update : updates) {
    total += once(update.gradient) +
             added(update.first_moment, update.second_moment, update.weights, update.average);
  }
  return total;
}
Work sgd(const Tensor& gradient_scale, std::span<SgdUpdate> updates) {
  Work total = once(gradient_scale);
  for (const SgdUpdate& update : updates) {
    total += once(update.gradient) + added(update.velocity, update.weights, update.average);
  }
  return total;
}

}  // namespace work
}  // namespace ata::bench
