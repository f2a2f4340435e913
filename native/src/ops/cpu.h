#ifndef ATA_OPS_CPU_H_
#define ATA_OPS_CPU_H_

#include "backend/kernels.h"

/// The CPU's entries of the kernel table; backend/kernels.h says what each one does.
namespace ata::cpu {

void convert(const Tensor& from, Tensor& to);
void add(const Tensor& x, Tensor& y);
void scale(const Tensor& factor, Tensor& y);
void scale_rows(const Tensor& x, const Tensor& scale, const Tensor& residual, Tensor& y);
void mean_rows(const Tensor& x, int64_t count, Tensor& y);
void mean_rows_gradient(const Tensor& dy, int64_t count, Tensor& dx);
void gather_rows(const Tensor& x, const Tensor& index, const Tensor& weight, Tensor& y);
void gather_rows_gradient(const Tensor& dy, const Tensor& index, const Tensor& weight, Tensor& dx);

void dropout(const Tensor& x, float probability, uint64_t seed, uint64_t stream, Tensor& y);

std::shared_ptr<const PackedMatrix> pack_linear(const Tensor& weight, DType dtype);
void linear(const Tensor& x, const Tensor& weight, const PackedMatrix* packed, const Tensor& bias,
            Activation activation, bool accumulate, Tensor& y,
            const std::shared_ptr<Allocator>& scratch);
void linear_input_gradient(const Tensor& dy, const Tensor& weight, Tensor& dx,
                           const std::shared_ptr<Allocator>& scratch);
void linear_weight_gradient(const Tensor& dy, const Tensor& x, bool accumulate, Tensor& dweight,
                            const std::shared_ptr<Allocator>& scratch);
void linear_bias_gradient(const Tensor& dy, Tensor& dbias);
void activate(const Tensor& x, Activation activation, Tensor& y);
void activate_gradient(const Tensor& x, Activation activation, const Tensor& dy, Tensor& dx);

void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float epsilon, Tensor& y,
                Tensor& mean, Tensor& rstd);
void layer_norm_gradient(const Tensor& dy, const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& rstd, bool accumulate, Tensor& dx, Tensor& dgamma,
                         Tensor& dbeta, const std::shared_ptr<Allocator>& scratch);

void attention(const Tensor& qkv, const TokenLayout& layout, int heads, Tensor& y, Tensor& log_sum,
               Tensor& class_rows, const std::shared_ptr<Allocator>& scratch);
void attention_gradient(const Tensor& dy, const Tensor& qkv, const Tensor& y, const Tensor& log_sum,
                        const Tensor& class_rows, const TokenLayout& layout, int heads,
                        Tensor& dqkv, const std::shared_ptr<Allocator>& scratch);
Coverage count_visits(const Tensor& trajectories, Tensor& visits);
void visited_rows(const Tensor& visits, Tensor& rows);
void temporal_attention(const Tensor& qkv, int64_t batch, int64_t frames, int64_t patches,
                        int heads, const Tensor& trajectories, const Tensor& visits, Tensor& y,
                        const std::shared_ptr<Allocator>& scratch);
void temporal_attention_gradient(const Tensor& dy, const Tensor& qkv, int64_t batch, int64_t frames,
                                 int64_t patches, int heads, const Tensor& trajectories,
                                 const Tensor& visits, Tensor& dqkv,
                                 const std::shared_ptr<Allocator>& scratch);

void soft_weights(const Tensor& features, float temperature, Tensor& weights);
void soft_weights_gradient(const Tensor& features, float temperature, const Tensor& weights,
                           const Tensor& dweights, Tensor& dfeatures);
void divide(const Tensor& dividend, const Tensor& divisor, Tensor& y);
void negative_row_dots(const Tensor& a, const Tensor& b, const Tensor& divisor, Tensor& y);

void extract_patches(const Tensor& clip, int64_t patch_size, Tensor& y);
void extract_patches_gradient(const Tensor& dy, int64_t patch_size, Tensor& dclip);
void embed_tokens(const Tensor& patches, const Tensor& cls_token, const Tensor& pos_embed,
                  const Tensor& time_embed, int64_t batch, int64_t frames, Tensor& y);
void embed_tokens_gradient(const Tensor& dy, int64_t batch, int64_t frames, int64_t patches,
                           Tensor& dcls_token, Tensor& dpos_embed, Tensor& dtime_embed);
bool softmax_cross_entropy(const Tensor& logits, const Tensor& targets, float label_smoothing,
                           Tensor& loss, Tensor& dlogits);

}  // namespace ata::cpu

#endif  // ATA_OPS_CPU_H_
