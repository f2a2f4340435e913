#include "cuda/dialect.h"
#include "cuda/entries.h"

namespace ata::cuda {
namespace {

constexpr int kThreads = 256;
// Elements of one thread, neighbours: 16 bytes of f32.
constexpr int kPerThread = 4;

template <class From, class To>
__global__ void convert_kernel(const From* from, int64_t count, To* to) {
  const int64_t first = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kPerThread;
  for (int64_t i = first; i < first + kPerThread && i < count; ++i)
    to[i] = narrow<To>(widen(from[i]));
}

__global__ void add_kernel(const float* x, int64_t count, float* y) {
  const int64_t first = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kPerThread;
  if (first + kPerThread <= count) {
    const auto a = load_vector<float4>(x + first), b = load_vector<float4>(y + first);
    store_vector(y + first, float4{a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w});
    return;
  }
  for (int64_t i = first; i < count; ++i) y[i] += x[i];
}

dim3 grid_of(int64_t count) {
  return dim3(blocks_for(count, int64_t{kThreads} * kPerThread));
}

}  // namespace

void convert(Stream& stream, const Tensor& from, Tensor& to) {
  const int64_t count = from.count();
  if (from.dtype() == to.dtype()) {
    if (count > 0) stream.device.copy(to.address(), from.address(), from.bytes(), stream);
  } else if (to.dtype() == DType::kBF16) {
    ATA_LAUNCH((convert_kernel<float, BFloat16>), grid_of(count), dim3(kThreads), 0, queue(stream),
               elements<float>(from), count, elements<BFloat16>(to));
  } else {
    ATA_LAUNCH((convert_kernel<BFloat16, float>), grid_of(count), dim3(kThreads), 0, queue(stream),
               elements<BFloat16>(from), count, elements<float>(to));
  }
}

void add(Stream& stream, const Tensor& x, Tensor& y) {
  ATA_LAUNCH(add_kernel, grid_of(x.count()), dim3(kThreads), 0, queue(stream), elements<float>(x),
             x.count(), elements<float>(y));
}

}  // namespace ata::cuda
