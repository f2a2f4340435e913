// What a training step needs besides the gradients of operations: random thinning, the loss, norms
// of gradients, and the updates of parameters.

#include <cmath>
#include <vector>

#include "cuda/entries.h"
#include "cuda/kernels/each.cuh"

namespace ata::cuda {
namespace {

// Random words as base/random.h draws them from counter 4 * block on (Philox4x32-10).
__device__ __forceinline__ void random_words(uint64_t seed, uint64_t sequence, uint64_t block,
                                             uint32_t (&words)[4]) {
  auto x0 = static_cast<uint32_t>(block), x1 = static_cast<uint32_t>(block >> 32);
  auto x2 = static_cast<uint32_t>(sequence), x3 = static_cast<uint32_t>(sequence >> 32);
  auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{x0} * 0xD2511F53U, p1 = uint64_t{x2} * 0xCD9E8D57U;
    x0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0;
    x1 = static_cast<uint32_t>(p1);
    x2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  words[0] = x0;
  words[1] = x1;
  words[2] = x2;
  words[3] = x3;
}

// A RandomDrop as kernels take it.
struct Draws {
  uint64_t seed;
  uint64_t sequence;
  const int64_t* first_sequence;
  // uniform() < probability, in units of 2^-24.
  uint32_t threshold;
  // Of what is kept.
  float scale;

  explicit Draws(const RandomDrop& drop)
      : seed(drop.seed),
        sequence(drop.sequence),
        first_sequence(elements<int64_t>(drop.first_sequence)),
        threshold(static_cast<uint32_t>(std::ceil(drop.probability * 0x1p24F))),
        scale(1.0F / (1.0F - drop.probability)) {}

  // Whether each of four elements, from 4 * block on, is dropped.
  __device__ void draw(int64_t block, bool (&dropped)[4]) const {
    uint32_t words[4];
    const uint64_t first =
        first_sequence != nullptr ? static_cast<uint64_t>(*first_sequence) : uint64_t{0};
    random_words(seed, first + sequence, static_cast<uint64_t>(block), words);
    for (int k = 0; k < 4; ++k) dropped[k] = (words[k] >> 8) < threshold;
  }
};

// Four elements, of one block of words.
template <class T>
struct Dropout {
  const T* x;
  int64_t count;
  Draws draws;
  T* y;
  __device__ void operator()(int64_t block) const {
    bool dropped[4];
    draws.draw(block, dropped);
    for (int k = 0; k < 4 && 4 * block + k < count; ++k) {
      const int64_t i = 4 * block + k;
      y[i] = narrow<T>(dropped[k] ? 0.0F : widen(x[i]) * draws.scale);
    }
  }
};

// The factor of a row, whose sample is drawn again for each.
struct DropPath {
  int64_t patch_rows;
  int64_t patches;
  int64_t others;
  Draws draws;
  const float* scale;
  float* factors;
  __device__ void operator()(int64_t row) const {
    const int64_t sample = row < patch_rows ? row / patches : (row - patch_rows) / others;
    bool dropped[4];
    draws.draw(sample / 4, dropped);
    bool drop = false;
    for (int k = 0; k < 4; ++k) drop = k == sample % 4 ? dropped[k] : drop;
    const float factor = drop ? 0.0F : draws.scale;
    factors[row] = scale != nullptr ? factor * scale[row] : factor;
  }
};

constexpr int kLossThreads = 128;

struct LossShared {
  double parts[kLossThreads / 32];
};

// Of the values of all threads of the block, in every thread.
template <bool kMaximum>
__device__ double block_reduce(double value, LossShared& shared) {
  for (int step = 16; step > 0; step /= 2) {
    const double other = __shfl_xor_sync(kAllLanes, value, step);
    value = kMaximum ? (other > value ? other : value) : value + other;
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared.parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = shared.parts[0];
  for (int w = 1; w < kLossThreads / 32; ++w) {
    value =
        kMaximum ? (shared.parts[w] > value ? shared.parts[w] : value) : value + shared.parts[w];
  }
  return value;
}

// A block for each clip. The matrix is small (a batch of class scores), so that sums are simply
// made in f64.
__global__ void __launch_bounds__(kLossThreads)
    cross_entropy_kernel(const float* logits, const int64_t* indices, const float* probabilities,
                         int64_t batch, int64_t classes, double smoothing, double* losses,
                         float* gradient, int32_t* status) {
  LossShared& shared = shared_memory<LossShared>();
  const int64_t b = blockIdx.x;
  const float* row = logits + b * classes;
  const int64_t index = indices != nullptr ? indices[b] : 0;
  if (index < 0 || index >= classes) {
    if (threadIdx.x == 0) {
      atomicOr(status, kClassOutOfRange);
      losses[b] = 0;
    }
    return;
  }
  double largest = -INFINITY;
  for (int64_t c = threadIdx.x; c < classes; c += kLossThreads) {
    largest = row[c] > largest ? row[c] : largest;
  }
  largest = block_reduce<true>(largest, shared);
  double sum = 0;
  for (int64_t c = threadIdx.x; c < classes; c += kLossThreads) sum += exp(row[c] - largest);
  const double log_sum = largest + log(block_reduce<false>(sum, shared));
  const auto target = [&](int64_t c) {
    const double given = indices != nullptr ? (index == c ? 1.0 : 0.0)
                                            : static_cast<double>(probabilities[b * classes + c]);
    return (1.0 - smoothing) * given + smoothing / static_cast<double>(classes);
  };
  double loss = 0, mass = 0;
  for (int64_t c = threadIdx.x; c < classes; c += kLossThreads) {
    const double t = target(c);
    mass += t;
    // A class that is certain not to be the target does not count, even at -infinity.
    if (t != 0.0) loss += t * (log_sum - row[c]);
  }
  loss = block_reduce<false>(loss, shared);
  mass = block_reduce<false>(mass, shared);
  if (threadIdx.x == 0) losses[b] = loss;
  if (gradient == nullptr) return;
  for (int64_t c = threadIdx.x; c < classes; c += kLossThreads) {
    const double p = exp(row[c] - log_sum);
    gradient[b * classes + c] =
        static_cast<float>((mass * p - target(c)) / static_cast<double>(batch));
  }
}

struct MeanLoss {
  const double* losses;
  int64_t batch;
  float* loss;
  __device__ void operator()(int64_t) const {
    double total = 0;
    for (int64_t b = 0; b < batch; ++b) total += losses[b];
    *loss = static_cast<float>(total / static_cast<double>(batch));
  }
};

constexpr int kPieceThreads = 256;

// Tensors of one launch. They travel as the kernel's argument, of 4 KB at most, and not by an
// upload: sums are made in passes, which are recorded.
struct Squares {
  static constexpr int kCount = 120;
  static constexpr int64_t kPiece = 16384;
  const float* items[kCount];
  int64_t counts[kCount];
  // The first piece of each; behind the last item the number of all pieces.
  int64_t first_pieces[kCount + 1];
  int size = 0;

  void add(const float* item, int64_t count) {
    if (size == 0) first_pieces[0] = 0;
    items[size] = item;
    counts[size] = count;
    first_pieces[size + 1] = first_pieces[size] + (count + kPiece - 1) / kPiece;
    ++size;
  }
  bool full() const { return size == kCount; }
  int64_t pieces() const { return size > 0 ? first_pieces[size] : 0; }

  __device__ int item_of(int64_t piece) const {
    int item = 0;
    while (first_pieces[item + 1] <= piece) ++item;
    return item;
  }
};

struct SquaresShared {
  double parts[kPieceThreads / 32];
};

__global__ void __launch_bounds__(kPieceThreads) squares_kernel(Squares work, double* partial) {
  SquaresShared& shared = shared_memory<SquaresShared>();
  const int64_t piece = blockIdx.x;
  const int item = work.item_of(piece);
  const int64_t begin = (piece - work.first_pieces[item]) * Squares::kPiece;
  const int64_t end =
      begin + Squares::kPiece < work.counts[item] ? begin + Squares::kPiece : work.counts[item];
  const float* values = work.items[item];
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kPieceThreads) {
    const double x = values[i];
    sum = fma(x, x, sum);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) shared.parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int w = 1; w < kPieceThreads / 32; ++w) sum += shared.parts[w];
  partial[piece] = sum;
}

struct SumPieces {
  Squares work;
  const double* partial;
  double* sums;
  __device__ void operator()(int64_t item) const {
    double sum = 0;
    for (int64_t p = work.first_pieces[item]; p < work.first_pieces[item + 1]; ++p)
      sum += partial[p];
    sums[item] = sum;
  }
};

__device__ __forceinline__ void update_average(float decay, float weight, float* average) {
  if (average != nullptr) *average = fmaf(1.0F - decay, weight - *average, *average);
}

struct ClipScale {
  const double* sums;
  int64_t count;
  double clip_norm;
  float* scale;
  __device__ void operator()(int64_t) const {
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += sums[i];
    const double norm = sqrt(total);
    double factor = 1;
    // A NaN, too.
    if (!(norm < INFINITY)) {
      factor = NAN;
    } else if (clip_norm > 0 && norm > clip_norm) {
      factor = clip_norm / norm;
    }
    *scale = static_cast<float>(factor);
  }
};

struct AdamwItem {
  const float* gradient;
  float* first_moment;
  float* second_moment;
  float* weights;
  float* average;
  float beta1, beta2, epsilon, decay_factor, step_size, inverse_root_correction, average_decay;

  __device__ void update(int64_t i, float gradient_scale) const {
    const float g = gradient_scale * gradient[i];
    const float m = fmaf(beta1, first_moment[i], (1.0F - beta1) * g);
    const float v = fmaf(beta2, second_moment[i], (1.0F - beta2) * (g * g));
    const float denominator = fmaf(sqrtf(v), inverse_root_correction, epsilon);
    const float w = fmaf(-step_size, m / denominator, decay_factor * weights[i]);
    first_moment[i] = m;
    second_moment[i] = v;
    weights[i] = w;
    update_average(average_decay, w, average != nullptr ? average + i : nullptr);
  }
};

struct SgdItem {
  const float* gradient;
  float* velocity;
  float* weights;
  float* average;
  float momentum, weight_decay, learning_rate, average_decay;
  bool nesterov;

  __device__ void update(int64_t i, float gradient_scale) const {
    const float old = weights[i];
    const float g = fmaf(weight_decay, old, gradient_scale * gradient[i]);
    float direction = g;
    if (velocity != nullptr) {
      const float b = fmaf(momentum, velocity[i], g);
      velocity[i] = b;
      direction = nesterov ? fmaf(momentum, b, g) : b;
    }
    const float w = fmaf(-learning_rate, direction, old);
    weights[i] = w;
    update_average(average_decay, w, average != nullptr ? average + i : nullptr);
  }
};

// A row of the table of updates, in the device's memory: however many parameters there are, one
// launch updates them all, so that a call that fails leaves none updated without the others.
template <class Item>
struct UpdateRow {
  Item item;
  int64_t count;
  int64_t first_piece;
};

constexpr int64_t kUpdatePiece = 4096;

template <class Item>
__global__ void __launch_bounds__(kPieceThreads)
    update_kernel(const UpdateRow<Item>* table, int rows, const float* gradient_scale) {
  const float scale = *gradient_scale;
  // A NaN, as clip_scale() gives where gradients are not finite.
  if (!(fabsf(scale) < INFINITY)) return;
  const int64_t piece = blockIdx.x;
  // The last row that begins at this piece or before; empty ones do not.
  int low = 0, high = rows - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (table[middle].first_piece <= piece) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const Item item = table[low].item;
  const int64_t count = table[low].count;
  const int64_t begin = (piece - table[low].first_piece) * kUpdatePiece;
  const int64_t end = begin + kUpdatePiece < count ? begin + kUpdatePiece : count;
  for (int64_t i = begin + threadIdx.x; i < end; i += kPieceThreads) item.update(i, scale);
}

template <class Item, class Update, class Make>
void update_all(const char* name, Stream& stream, const Tensor& gradient_scale,
                std::span<Update> updates, const Make& make) {
  std::vector<UpdateRow<Item>> rows;
  int64_t pieces = 0;
  for (Update& update : updates) {
    const int64_t count = update.gradient.count();
    if (count == 0) continue;
    rows.push_back({make(update), count, pieces});
    pieces += (count + kUpdatePiece - 1) / kUpdatePiece;
  }
  if (rows.empty()) return;
  const size_t bytes = rows.size() * sizeof(UpdateRow<Item>);
  Tensor table({static_cast<int64_t>(bytes)}, DType::kU8, stream.allocator);
  stream.device.copy_in(table.address(), rows.data(), bytes, stream);
  launch_kernel(name, update_kernel<Item>, dim3(static_cast<unsigned>(pieces)), dim3(kPieceThreads),
                0, queue(stream), static_cast<const UpdateRow<Item>*>(table.address()),
                static_cast<int>(rows.size()), elements<float>(gradient_scale));
}

}  // namespace

void dropout(Stream& stream, const Tensor& x, const RandomDrop& drop, Tensor& y) {
  const int64_t count = x.count();
  if (x.dtype() == DType::kBF16) {
    for_each("dropout", stream, (count + 3) / 4,
             Dropout<BFloat16>{elements<BFloat16>(x), count, Draws(drop), elements<BFloat16>(y)});
  } else {
    for_each("dropout", stream, (count + 3) / 4,
             Dropout<float>{elements<float>(x), count, Draws(drop), elements<float>(y)});
  }
}

void drop_path(Stream& stream, const RandomDrop& drop, int64_t samples, int64_t patch_rows,
               const Tensor& scale, Tensor& factors) {
  for_each("drop_path", stream, factors.count(),
           DropPath{patch_rows, patch_rows / samples, (factors.count() - patch_rows) / samples,
                    Draws(drop), elements<float>(scale), elements<float>(factors)});
}

void softmax_cross_entropy(Stream& stream, const Tensor& logits, const Tensor& targets,
                           float label_smoothing, Tensor& loss, Tensor& dlogits) {
  const int64_t batch = logits.dim(0);
  const bool by_index = targets.dtype() == DType::kI64;
  Tensor losses({batch}, DType::kF64, stream.allocator);
  ATA_LAUNCH(cross_entropy_kernel, dim3(static_cast<unsigned>(batch)), dim3(kLossThreads),
             sizeof(LossShared), queue(stream), elements<float>(logits),
             by_index ? elements<int64_t>(targets) : nullptr,
             by_index ? nullptr : elements<float>(targets), batch, logits.dim(1),
             static_cast<double>(label_smoothing), elements<double>(losses),
             elements<float>(dlogits), elements<int32_t>(stream.status));
  for_each("mean_loss", stream, 1,
           MeanLoss{elements<double>(losses), batch, elements<float>(loss)});
}

void sums_of_squares(Stream& stream, std::span<const Tensor> x, Tensor& sums) {
  static_assert(sizeof(Squares) <= 4000);
  double* out = elements<double>(sums);
  Squares work;
  for (size_t i = 0; i < x.size(); ++i) {
    work.add(elements<float>(x[i]), x[i].count());
    if (!work.full() && i + 1 < x.size()) continue;
    Tensor partial({work.pieces()}, DType::kF64, stream.allocator);
    ATA_LAUNCH(squares_kernel, dim3(static_cast<unsigned>(work.pieces())), dim3(kPieceThreads),
               sizeof(SquaresShared), queue(stream), work, elements<double>(partial));
    for_each("sum_pieces", stream, work.size, SumPieces{work, elements<double>(partial), out});
    out += work.size;
    work.size = 0;
  }
}

void clip_scale(Stream& stream, const Tensor& sums, float clip_norm, Tensor& scale) {
  for_each("clip_scale", stream, 1,
           ClipScale{elements<double>(sums), sums.count(), clip_norm, elements<float>(scale)});
}

void adamw(Stream& stream, const Tensor& gradient_scale, std::span<AdamwUpdate> updates) {
  update_all<AdamwItem>("adamw", stream, gradient_scale, updates, [](AdamwUpdate& u) {
    return AdamwItem{elements<float>(u.gradient),
                     elements<float>(u.first_moment),
                     elements<float>(u.second_moment),
                     elements<float>(u.weights),
                     elements<float>(u.average),
                     u.beta1,
                     u.beta2,
                     u.epsilon,
                     u.decay_factor,
                     u.step_size,
                     u.inverse_root_correction,
                     u.average_decay};
  });
}

void sgd(Stream& stream, const Tensor& gradient_scale, std::span<SgdUpdate> updates) {
  update_all<SgdItem>("sgd", stream, gradient_scale, updates, [](SgdUpdate& u) {
    return SgdItem{elements<float>(u.gradient),
                   elements<float>(u.velocity),
                   elements<float>(u.weights),
                   elements<float>(u.average),
                   u.momentum,
                   u.weight_decay,
                   u.learning_rate,
                   u.average_decay,
                   u.nesterov};
  });
}

}  // namespace ata::cuda
