#ifndef ATA_BACKEND_KERNELS_H_
#define ATA_BACKEND_KERNELS_H_

#include <cstdint>
#include <memory>
#include <span>

#include "backend/device.h"
#include "backend/updates.h"
#include "tensor/layout.h"
#include "tensor/tensor.h"

namespace ata {

struct AlignmentOptions;   // alignment/alignment.h
struct AssignmentOptions;  // assignment/assignment.h

/// A weight matrix in the layout and precision that a device's product wants. Immutable; any
/// number of threads may multiply by it at once.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  /// Precision of the products: f32 or bf16.
  virtual DType dtype() const = 0;
};

/// What a device's `align` keeps between calls: memory, to spare allocation, and what the next part
/// of clips that come in parts needs of the last. One call at a time.
class AlignmentScratch {
 public:
  virtual ~AlignmentScratch() = default;
};

/// What a device's `assign` keeps between calls, to spare allocation. One call at a time.
class AssignmentScratch {
 public:
  virtual ~AssignmentScratch() = default;
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

/// What is dropped at random: element i when the i-th uniform() of Random(seed, sequence +
/// first_sequence) is below `probability`, in [0, 1).
struct RandomDrop {
  float probability = 0.0f;
  uint64_t seed = 0;
  uint64_t sequence = 0;
  /// i64 `[1]`, or empty: 0. Read when the work runs, so that recorded work draws anew each time.
  Tensor first_sequence = {};
};

/// Version of the table below, checked when a plugin is loaded.
constexpr uint32_t kKernelsVersion = 8;

/// The operations of one device: the table every device fills. Entries check nothing; the ops in
/// native/src/ops check shapes and types first, and document what is computed. The entry order is
/// the plugin interface: change kKernelsVersion with it.
///
/// Results overwrite their destination (`=`) unless the comment says that they are added to it
/// (`+=`). Gradients are f32 whatever the type of the value. Tensors named `[...] or empty` may be
/// undefined. Every entry queues its work on the stream, takes temporary memory from it, and
/// reports there (StreamStatus) what only the device can see. Entries are thread-safe, streams are
/// not.
struct Kernels {
  uint32_t version;

  // --- Elementwise and rows -------------------------------------------------------------------

  /// f32 to bf16 (nearest even), bf16 to f32, or a copy between equal types; equal counts.
  void (*convert)(Stream& stream, const Tensor& from, Tensor& to);
  /// f32 y += x.
  void (*add)(Stream& stream, const Tensor& x, Tensor& y);
  /// f32 y *= factor, factor `[1]`.
  void (*scale)(Stream& stream, const Tensor& factor, Tensor& y);
  /// f32 y = residual + scale * x, scale `[rows]` or empty (1), residual `[rows, D]` or empty (0).
  /// y may be x or residual.
  void (*scale_rows)(Stream& stream, const Tensor& x, const Tensor& scale, const Tensor& residual,
                     Tensor& y);
  /// f32 y(i) `[columns, rows]` = the transpose of x(i) `[rows, columns]`; x `[count, rows,
  /// columns]`.
  void (*transpose)(Stream& stream, const Tensor& x, Tensor& y);
  /// f32 y `[groups, D]` = means of runs of `count` rows of x.
  void (*mean_rows)(Stream& stream, const Tensor& x, int64_t count, Tensor& y);
  /// dx += each row of dy / count, for each of the `count` rows it came from.
  void (*mean_rows_gradient)(Stream& stream, const Tensor& dy, int64_t count, Tensor& dx);
  /// f32 y(r) = sum over k of weight(r, k) * x(index(r, k)); index i32 and weight f32 `[R, K]`.
  void (*gather_rows)(Stream& stream, const Tensor& x, const Tensor& index, const Tensor& weight,
                      Tensor& y);
  /// dx(index(r, k)) += weight(r, k) * dy(r).
  void (*gather_rows_gradient)(Stream& stream, const Tensor& dy, const Tensor& index,
                               const Tensor& weight, Tensor& dx);

  /// y = x / (1 - probability), or 0 where dropped. f32 or bf16, one type; y may be x.
  void (*dropout)(Stream& stream, const Tensor& x, const RandomDrop& drop, Tensor& y);
  /// f32 factors `[rows]` = 1 / (1 - probability), or 0 where a row's sample is dropped, times
  /// `scale` `[rows]` or empty (1). The first `patch_rows` are runs of one length of each of
  /// `samples` samples, and so are the others.
  void (*drop_path)(Stream& stream, const RandomDrop& drop, int64_t samples, int64_t patch_rows,
                    const Tensor& scale, Tensor& factors);

  // --- Linear ---------------------------------------------------------------------------------

  /// Packs f32 `[out, in]` for products in `dtype`. Throws ATA_UNSUPPORTED when the device cannot.
  std::shared_ptr<const PackedMatrix> (*pack_linear)(Stream& stream, const Tensor& weight,
                                                     DType dtype);
  /// y (+)= x W^T + bias, then `activation`. The product is computed in x's type. W is `packed` or,
  /// when that is null, f32 `weight`. `accumulate` (f32 y only, without activation): `+=`.
  void (*linear)(Stream& stream, const Tensor& x, const Tensor& weight, const PackedMatrix* packed,
                 const Tensor& bias, Activation activation, bool accumulate, Tensor& y);
  /// f32 dx = dy W, computed in dy's type: bf16 stands for an f32 gradient that was rounded, and W
  /// is rounded too.
  void (*linear_input_gradient)(Stream& stream, const Tensor& dy, const Tensor& weight, Tensor& dx);
  /// dweight (+)= dy^T x, computed in the type that dy and x share. `accumulate`: `+=`.
  void (*linear_weight_gradient)(Stream& stream, const Tensor& dy, const Tensor& x, bool accumulate,
                                 Tensor& dweight);
  /// dbias += column sums of dy.
  void (*linear_bias_gradient)(Stream& stream, const Tensor& dy, Tensor& dbias);
  /// y = activation(x), not kNone; one type.
  void (*activate)(Stream& stream, const Tensor& x, Activation activation, Tensor& y);
  /// f32 dx = activation'(x) dy; dx may be dy.
  void (*activate_gradient)(Stream& stream, const Tensor& x, Activation activation,
                            const Tensor& dy, Tensor& dx);

  // --- Layer norm -----------------------------------------------------------------------------

  /// mean and rstd f32 `[rows]`, or empty when nobody wants them.
  void (*layer_norm)(Stream& stream, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                     float epsilon, Tensor& y, Tensor& mean, Tensor& rstd);
  /// dx (+)= ..., dgamma += ..., dbeta += ...; each may be empty. `accumulate` concerns dx.
  void (*layer_norm_gradient)(Stream& stream, const Tensor& dy, const Tensor& x,
                              const Tensor& gamma, const Tensor& mean, const Tensor& rstd,
                              bool accumulate, Tensor& dx, Tensor& dgamma, Tensor& dbeta);

  // --- Attention ------------------------------------------------------------------------------

  /// Both or neither of: log_sum f32 `[groups * frames, heads, 1 + patches]`, the logarithm of each
  /// query's softmax denominator (class token first); class_rows f32 `[groups * frames, D]`, each
  /// frame's result for the class token.
  void (*attention)(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads,
                    Tensor& y, Tensor& log_sum, Tensor& class_rows);
  /// f32 dqkv = ...
  void (*attention_gradient)(Stream& stream, const Tensor& dy, const Tensor& qkv, const Tensor& y,
                             const Tensor& log_sum, const Tensor& class_rows,
                             const ClipLayout& layout, int heads, Tensor& dqkv);
  /// Fills i32 visits `[B, T, N]`: how many trajectories meet in each patch. Indices outside
  /// 0..N-1 are kPatchOutOfRange and count nowhere.
  void (*count_visits)(Stream& stream, const Tensor& trajectories, Tensor& visits);
  /// f32 rows `[B*T*N]` = 1 where visits is above 0, else 0.
  void (*visited_rows)(Stream& stream, const Tensor& visits, Tensor& rows);
  /// trajectories i32 `[B, T, N]`, all in 0..N-1, or empty (identity); visits as from count_visits,
  /// or empty when each frame is a permutation. qkv `[B*T*N, 3D]`.
  void (*temporal_attention)(Stream& stream, const Tensor& qkv, const ClipLayout& layout, int heads,
                             const Tensor& trajectories, const Tensor& visits, Tensor& y);
  /// f32 dqkv = ...
  void (*temporal_attention_gradient)(Stream& stream, const Tensor& dy, const Tensor& qkv,
                                      const ClipLayout& layout, int heads,
                                      const Tensor& trajectories, const Tensor& visits,
                                      Tensor& dqkv);

  // --- Alignment ------------------------------------------------------------------------------

  /// trajectories i32 `[B, T, N]` from features f32 `[B*T*N, D]`, as align_features() in
  /// alignment/alignment.h gives them, by any method but `soft`. similarities f32 `[B, P, N]` or
  /// empty; column_duals f64 `[B, P, N]`, in and out, or empty; P = T - 1, or T when frames came
  /// before. `scratch` may be null at first. Features that are not finite are kFeatureNotFinite, or
  /// an error at once, and leave what `scratch` keeps of the parts before as it was.
  void (*align)(Stream& stream, const Tensor& features, const ClipLayout& layout,
                const AlignmentOptions& options, const ClipPart& part,
                std::shared_ptr<AlignmentScratch>& scratch, Tensor& column_duals,
                Tensor& trajectories, Tensor& similarities);
  /// matching i32 `[B, N]` and totals f64 `[B]` of the problems f32 values `[B, N, M]`, as
  /// solve_assignments() in assignment/assignment.h gives them, with its errors, at once.
  /// column_duals f64 `[B, M]`, in and out, or empty. `scratch` keeps memory for calls as large as
  /// this; it may hold null at first, or be null: then nothing is kept.
  void (*assign)(Stream& stream, const Tensor& values, const AssignmentOptions& options,
                 std::shared_ptr<AssignmentScratch>* scratch, Tensor& column_duals,
                 Tensor& matching, Tensor& totals);

  // --- Soft alignment -------------------------------------------------------------------------

  /// weights f32 `[B, T - 1, N, N]` from features f32 `[B*T*N, D]`: per pair of frames the
  /// row-wise softmax of the cosine similarities over `temperature`.
  void (*soft_weights)(Stream& stream, const Tensor& features, const ClipLayout& layout,
                       float temperature, Tensor& weights);
  /// dfeatures += ...; weights as soft_weights gave them.
  void (*soft_weights_gradient)(Stream& stream, const Tensor& features, const ClipLayout& layout,
                                float temperature, const Tensor& weights, const Tensor& dweights,
                                Tensor& dfeatures);
  /// f32 y = dividend / divisor, 0 where the divisor is 0; dividend may be empty (ones).
  void (*divide)(Stream& stream, const Tensor& dividend, const Tensor& divisor, Tensor& y);
  /// f32 y `[rows]` = -(a(r) . b(r)) / divisor(r), 0 where the divisor is 0; a, b `[rows, D]`.
  void (*negative_row_dots)(Stream& stream, const Tensor& a, const Tensor& b, const Tensor& divisor,
                            Tensor& y);

  // --- Ends of the model ----------------------------------------------------------------------

  void (*extract_patches)(Stream& stream, const Tensor& clip, int64_t patch_size, Tensor& y);
  /// dclip += ...
  void (*extract_patches_gradient)(Stream& stream, const Tensor& dy, int64_t patch_size,
                                   Tensor& dclip);
  /// y `[B*T*N + class_rows, D]`; time_embed may be empty.
  void (*embed_tokens)(Stream& stream, const Tensor& patches, const Tensor& cls_token,
                       const Tensor& pos_embed, const Tensor& time_embed, const ClipLayout& layout,
                       Tensor& y);
  /// dcls_token, dpos_embed, dtime_embed += ...; each may be empty. (The patches' gradient is dy's
  /// patch rows.)
  void (*embed_tokens_gradient)(Stream& stream, const Tensor& dy, const ClipLayout& layout,
                                Tensor& dcls_token, Tensor& dpos_embed, Tensor& dtime_embed);
  /// loss f32 `[1]`; dlogits `[B, C]` or empty: the gradient of the loss. A class index
  /// outside 0..C-1 is kClassOutOfRange and leaves both undefined.
  void (*softmax_cross_entropy)(Stream& stream, const Tensor& logits, const Tensor& targets,
                                float label_smoothing, Tensor& loss, Tensor& dlogits);

  // --- Training -------------------------------------------------------------------------------

  /// f64 sums(i) = the sum of squares of f32 x(i); not finite when an element is not.
  void (*sums_of_squares)(Stream& stream, std::span<const Tensor> x, Tensor& sums);
  /// f32 y (+)= factor * x; y may be x. `accumulate`: `+=`.
  void (*scale_by)(Stream& stream, float factor, const Tensor& x, bool accumulate, Tensor& y);
  /// f32 scale `[1]`, the factor of gradients whose squares sum up to f64 `sums`, which are added
  /// in order: clip_norm / norm, rounded once, where clip_norm is above 0 and the norm above it;
  /// else 1; NaN where a sum is not finite.
  void (*clip_scale)(Stream& stream, const Tensor& sums, float clip_norm, Tensor& scale);
  /// The updates of many parameters; see updates.h. All of them or, also when this throws, none;
  /// none where gradient_scale f32 `[1]`, the factor of all gradients, is not finite.
  void (*adamw)(Stream& stream, const Tensor& gradient_scale, std::span<AdamwUpdate> updates);
  void (*sgd)(Stream& stream, const Tensor& gradient_scale, std::span<SgdUpdate> updates);
};

}  // namespace ata

#endif  // ATA_BACKEND_KERNELS_H_
