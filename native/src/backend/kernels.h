#ifndef ATA_BACKEND_KERNELS_H_
#define ATA_BACKEND_KERNELS_H_

#include <cstdint>
#include <memory>

#include "tensor/tensor.h"

namespace ata {

struct TokenLayout;

/// A weight matrix in the layout and precision that a backend's product wants. Immutable; any
/// number of threads may multiply by it at once.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  /// Precision of the products: f32 or bf16.
  virtual DType dtype() const = 0;
};

/// How the trajectories of a batch of clips cover its patches.
enum class Coverage {
  /// Each frame is a permutation: every patch is visited once.
  kPermutation,
  /// Some patches are visited several times or never.
  kPartial,
  /// An index lies outside 0..N-1.
  kOutOfRange,
};

/// What follows a linear layer, element by element.
enum class Activation {
  kNone,
  /// x times the normal distribution function of x, by erf.
  kGelu,
  /// x sigmoid(1.702 x): OpenAI's CLIP.
  kQuickGelu,
  /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
  kGeluTanh,
};

/// Version of the table below, checked when a plugin is loaded.
constexpr uint32_t kKernelsVersion = 3;

/// The operations of one device: the table every backend fills. Entries check nothing; the ops in
/// native/src/ops check shapes and types first, and document what is computed. The entry order is
/// the plugin interface: change kKernelsVersion with it.
///
/// Results overwrite their destination (`=`) unless the comment says that they are added to it
/// (`+=`). Gradients are f32 whatever the type of the value. Tensors named `[...] or empty` may be
/// undefined. `scratch` is where an entry takes temporary memory. Entries are thread-safe.
struct Kernels {
  uint32_t version;
  /// "cpu", "cuda".
  const char* device;

  // --- Elementwise and rows -------------------------------------------------------------------

  /// f32 to bf16 (nearest even), bf16 to f32, or a copy between equal types; equal counts.
  void (*convert)(const Tensor& from, Tensor& to);
  /// f32 y += x.
  void (*add)(const Tensor& x, Tensor& y);
  /// f32 y *= factor, factor `[1]`.
  void (*scale)(const Tensor& factor, Tensor& y);
  /// f32 y = residual + scale * x, scale `[rows]` or empty (1), residual `[rows, D]` or empty (0).
  /// y may be x or residual.
  void (*scale_rows)(const Tensor& x, const Tensor& scale, const Tensor& residual, Tensor& y);
  /// f32 y `[groups, D]` = means of runs of `count` rows of x.
  void (*mean_rows)(const Tensor& x, int64_t count, Tensor& y);
  /// dx += each row of dy / count, for each of the `count` rows it came from.
  void (*mean_rows_gradient)(const Tensor& dy, int64_t count, Tensor& dx);
  /// f32 y(r) = sum over k of weight(r, k) * x(index(r, k)); index i32 and weight f32 `[R, K]`.
  void (*gather_rows)(const Tensor& x, const Tensor& index, const Tensor& weight, Tensor& y);
  /// dx(index(r, k)) += weight(r, k) * dy(r).
  void (*gather_rows_gradient)(const Tensor& dy, const Tensor& index, const Tensor& weight,
                               Tensor& dx);

  /// y = x / (1 - probability), or 0 where dropped: element i when the i-th uniform() of
  /// Random(seed, stream) is below `probability`. f32 or bf16, one type; y may be x.
  void (*dropout)(const Tensor& x, float probability, uint64_t seed, uint64_t stream, Tensor& y);

  // --- Linear ---------------------------------------------------------------------------------

  /// Packs f32 `[out, in]` for products in `dtype`. Throws ATA_UNSUPPORTED when the device cannot.
  std::shared_ptr<const PackedMatrix> (*pack_linear)(const Tensor& weight, DType dtype);
  /// y (+)= x W^T + bias, then `activation`. The product is computed in x's type. W is `packed` or,
  /// when that is null, f32 `weight`. `accumulate` (f32 y only, without activation): `+=`.
  void (*linear)(const Tensor& x, const Tensor& weight, const PackedMatrix* packed,
                 const Tensor& bias, Activation activation, bool accumulate, Tensor& y,
                 const std::shared_ptr<Allocator>& scratch);
  /// f32 dx = dy W, computed in dy's type: bf16 stands for an f32 gradient that was rounded, and W
  /// is rounded too.
  void (*linear_input_gradient)(const Tensor& dy, const Tensor& weight, Tensor& dx,
                                const std::shared_ptr<Allocator>& scratch);
  /// dweight (+)= dy^T x, computed in the type that dy and x share. `accumulate`: `+=`.
  void (*linear_weight_gradient)(const Tensor& dy, const Tensor& x, bool accumulate,
                                 Tensor& dweight, const std::shared_ptr<Allocator>& scratch);
  /// dbias += column sums of dy.
  void (*linear_bias_gradient)(const Tensor& dy, Tensor& dbias);
  /// y = activation(x), not kNone; one type.
  void (*activate)(const Tensor& x, Activation activation, Tensor& y);
  /// f32 dx = activation'(x) dy; dx may be dy.
  void (*activate_gradient)(const Tensor& x, Activation activation, const Tensor& dy, Tensor& dx);

  // --- Layer norm -----------------------------------------------------------------------------

  /// mean and rstd f32 `[rows]`, or empty when nobody wants them.
  void (*layer_norm)(const Tensor& x, const Tensor& gamma, const Tensor& beta, float epsilon,
                     Tensor& y, Tensor& mean, Tensor& rstd);
  /// dx (+)= ..., dgamma += ..., dbeta += ...; each may be empty. `accumulate` concerns dx.
  void (*layer_norm_gradient)(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                              const Tensor& mean, const Tensor& rstd, bool accumulate, Tensor& dx,
                              Tensor& dgamma, Tensor& dbeta,
                              const std::shared_ptr<Allocator>& scratch);

  // --- Attention ------------------------------------------------------------------------------

  /// Both or neither of: log_sum f32 `[groups * frames, heads, 1 + patches]`, the logarithm of each
  /// query's softmax denominator (class token first); class_rows f32 `[groups * frames, D]`, each
  /// frame's result for the class token.
  void (*attention)(const Tensor& qkv, const TokenLayout& layout, int heads, Tensor& y,
                    Tensor& log_sum, Tensor& class_rows, const std::shared_ptr<Allocator>& scratch);
  /// f32 dqkv = ...
  void (*attention_gradient)(const Tensor& dy, const Tensor& qkv, const Tensor& y,
                             const Tensor& log_sum, const Tensor& class_rows,
                             const TokenLayout& layout, int heads, Tensor& dqkv,
                             const std::shared_ptr<Allocator>& scratch);
  /// Fills i32 visits `[B, T, N]`: how many trajectories meet in each patch. Nothing is promised
  /// about visits when the result is kOutOfRange.
  Coverage (*count_visits)(const Tensor& trajectories, Tensor& visits);
  /// f32 rows `[B*T*N]` = 1 where visits is above 0, else 0.
  void (*visited_rows)(const Tensor& visits, Tensor& rows);
  /// trajectories i32 `[B, T, N]` or empty (identity); visits as from count_visits, or empty when
  /// each frame is a permutation. qkv `[B*T*N, 3D]`.
  void (*temporal_attention)(const Tensor& qkv, int64_t batch, int64_t frames, int64_t patches,
                             int heads, const Tensor& trajectories, const Tensor& visits, Tensor& y,
                             const std::shared_ptr<Allocator>& scratch);
  /// f32 dqkv = ...
  void (*temporal_attention_gradient)(const Tensor& dy, const Tensor& qkv, int64_t batch,
                                      int64_t frames, int64_t patches, int heads,
                                      const Tensor& trajectories, const Tensor& visits,
                                      Tensor& dqkv, const std::shared_ptr<Allocator>& scratch);

  // --- Soft alignment -------------------------------------------------------------------------

  /// weights f32 `[B, T - 1, N, N]` from features f32 `[B, T, N, D]`: per pair of frames the
  /// row-wise softmax of the cosine similarities over `temperature`.
  void (*soft_weights)(const Tensor& features, float temperature, Tensor& weights);
  /// dfeatures += ...; weights as soft_weights gave them.
  void (*soft_weights_gradient)(const Tensor& features, float temperature, const Tensor& weights,
                                const Tensor& dweights, Tensor& dfeatures);
  /// f32 y = dividend / divisor, 0 where the divisor is 0; dividend may be empty (ones).
  void (*divide)(const Tensor& dividend, const Tensor& divisor, Tensor& y);
  /// f32 y `[rows]` = -(a(r) . b(r)) / divisor(r), 0 where the divisor is 0; a, b `[rows, D]`.
  void (*negative_row_dots)(const Tensor& a, const Tensor& b, const Tensor& divisor, Tensor& y);

  // --- Ends of the model ----------------------------------------------------------------------

  void (*extract_patches)(const Tensor& clip, int64_t patch_size, Tensor& y);
  /// dclip += ...
  void (*extract_patches_gradient)(const Tensor& dy, int64_t patch_size, Tensor& dclip);
  /// y `[B*T*N + class_rows, D]`; time_embed may be empty.
  void (*embed_tokens)(const Tensor& patches, const Tensor& cls_token, const Tensor& pos_embed,
                       const Tensor& time_embed, int64_t batch, int64_t frames, Tensor& y);
  /// dcls_token, dpos_embed, dtime_embed += ...; each may be empty. (The patches' gradient is dy's
  /// patch rows.)
  void (*embed_tokens_gradient)(const Tensor& dy, int64_t batch, int64_t frames, int64_t patches,
                                Tensor& dcls_token, Tensor& dpos_embed, Tensor& dtime_embed);
  /// loss f32 `[1]`; dlogits `[B, C]` or empty: the gradient of the loss. False when a class index
  /// is outside 0..C-1.
  bool (*softmax_cross_entropy)(const Tensor& logits, const Tensor& targets, float label_smoothing,
                                Tensor& loss, Tensor& dlogits);
};

/// The CPU's table; always available.
const Kernels& cpu_kernels();

}  // namespace ata

#endif  // ATA_BACKEND_KERNELS_H_
