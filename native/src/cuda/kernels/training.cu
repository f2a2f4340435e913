// What a training step needs besides the gradients of operations: random thinning, the loss, norms
// of gradients, and the updates of parameters.

#include <cmath>

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

// Four elements, of one block of words.
template <class T>
struct Dropout {
  const T* x;
  int64_t count;
  uint64_t seed;
  uint64_t sequence;
  uint32_t threshold;
  float scale;
  T* y;
  __device__ void operator()(int64_t block) const {
    uint32_t words[4];
    random_words(seed, sequence, static_cast<uint64_t>(block), words);
    for (int k = 0; k < 4 && 4 * block + k < count; ++k) {
      const int64_t i = 4 * block + k;
      y[i] = narrow<T>((words[k] >> 8) < threshold ? 0.0F : widen(x[i]) * scale);
    }
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

// Tensors that one launch works on travel as the kernel's argument, of 4 KB at most.
constexpr int kPieceThreads = 256;

template <class Item, int kCount, int64_t kPieceElements>
struct Items {
  static constexpr int64_t kPiece = kPieceElements;
  Item items[kCount];
  int64_t counts[kCount];
  // The first piece of each; behind the last item the number of all pieces.
  int64_t first_pieces[kCount + 1];
  int size = 0;

  void add(const Item& item, int64_t count) {
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

using Squares = Items<const float*, 120, 16384>;

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

struct AdamwItem {
  const float* gradient;
  float* first_moment;
  float* second_moment;
  float* weights;
  float* average;
  float gradient_scale, beta1, beta2, epsilon, decay_factor, step_size, inverse_root_correction,
      average_decay;

  __device__ void update(int64_t i) const {
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
  float gradient_scale, momentum, weight_decay, learning_rate, average_decay;
  bool nesterov;

  __device__ void update(int64_t i) const {
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

template <class Item>
using Updates = Items<Item, 36, 4096>;

template <class Item>
__global__ void __launch_bounds__(kPieceThreads) update_kernel(Updates<Item> work) {
  constexpr int64_t kPiece = Updates<Item>::kPiece;
  const int64_t piece = blockIdx.x;
  const int index = work.item_of(piece);
  const int64_t begin = (piece - work.first_pieces[index]) * kPiece;
  const int64_t end = begin + kPiece < work.counts[index] ? begin + kPiece : work.counts[index];
  const Item item = work.items[index];
  for (int64_t i = begin + threadIdx.x; i < end; i += kPieceThreads) item.update(i);
}

template <class Item, class Update, class Make>
void update_all(const char* name, Stream& stream, std::span<Update> updates, const Make& make) {
  static_assert(sizeof(Updates<Item>) <= 4096);
  Updates<Item> work;
  for (size_t i = 0; i < updates.size(); ++i) {
    work.add(make(updates[i]), updates[i].gradient.count());
    if (!work.full() && i + 1 < updates.size()) continue;
    launch_kernel(name, update_kernel<Item>, dim3(static_cast<unsigned>(work.pieces())),
                  dim3(kPieceThreads), 0, queue(stream), work);
    work.size = 0;
  }
}

}  // namespace

void dropout(Stream& stream, const Tensor& x, float probability, uint64_t seed, uint64_t sequence,
             Tensor& y) {
  // uniform() < probability, in units of 2^-24.
  const auto threshold = static_cast<uint32_t>(std::ceil(probability * 0x1p24F));
  const float factor = 1.0F / (1.0F - probability);
  const int64_t count = x.count();
  if (x.dtype() == DType::kBF16) {
    for_each("dropout", stream, (count + 3) / 4,
             Dropout<BFloat16>{elements<BFloat16>(x), count, seed, sequence, threshold, factor,
                               elements<BFloat16>(y)});
  } else {
    for_each("dropout", stream, (count + 3) / 4,
             Dropout<float>{elements<float>(x), count, seed, sequence, threshold, factor,
                            elements<float>(y)});
  }
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

void adamw(Stream& stream, std::span<AdamwUpdate> updates) {
  update_all<AdamwItem>("adamw", stream, updates, [](AdamwUpdate& u) {
    return AdamwItem{elements<float>(u.gradient),
                     elements<float>(u.first_moment),
                     elements<float>(u.second_moment),
                     elements<float>(u.weights),
                     elements<float>(u.average),
                     u.gradient_scale,
                     u.beta1,
                     u.beta2,
                     u.epsilon,
                     u.decay_factor,
                     u.step_size,
                     u.inverse_root_correction,
                     u.average_decay};
  });
}

void sgd(Stream& stream, std::span<SgdUpdate> updates) {
  update_all<SgdItem>("sgd", stream, updates, [](SgdUpdate& u) {
    return SgdItem{elements<float>(u.gradient),
                   elements<float>(u.velocity),
                   elements<float>(u.weights),
                   elements<float>(u.average),
                   u.gradient_scale,
                   u.momentum,
                   u.weight_decay,
                   u.learning_rate,
                   u.average_decay,
                   u.nesterov};
  });
}

}  // namespace ata::cuda
