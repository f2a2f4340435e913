#include "cuda/dialect.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

using ata::cuda::shared_memory;

constexpr unsigned kEveryLane = 0xffffffffU;

// With fewer threads than lanes, the mask names those that are there.
__global__ void warp_functions(const int* values, int threads, int* rows) {
  const int lane = static_cast<int>(threadIdx.x);
  const unsigned mask = threads == 32 ? kEveryLane : (1U << threads) - 1;
  const int value = values[lane];
  const auto put = [&](Row row, int result) { rows[row * kLanes + lane] = result; };
  put(kShuffle, __shfl_sync(mask, value, 3));
  put(kShuffleWidth8, __shfl_sync(mask, value, 10, 8));
  put(kXor, __shfl_xor_sync(mask, value, 1));
  put(kUp, __shfl_up_sync(mask, value, 2));
  put(kUpWidth4, __shfl_up_sync(mask, value, 1, 4));
  put(kDown, __shfl_down_sync(mask, value, 4, 8));
  put(kBallot, static_cast<int>(__ballot_sync(mask, value % 2 != 0)));
  put(kAny, __any_sync(mask, value == 7));
  put(kAll, __all_sync(mask, value < 1000));
  put(kMatch, static_cast<int>(__match_any_sync(mask, value % 3)));
  put(kReduceMin, __reduce_min_sync(mask, value));
  put(kReduceMax, __reduce_max_sync(mask, value));
  put(kReduceAdd, __reduce_add_sync(mask, value));
  if (lane % 2 == 1) put(kOddLanesSum, __reduce_add_sync(mask & 0xaaaaaaaaU, value));
  if (lane < 4) {
    put(kSmallMask, __shfl_xor_sync(0xfU, value, 3));
  } else {
    put(kSmallMask, __shfl_sync(mask & ~0xfU, value, 5));
  }
}

__global__ void block_votes(const int* values, int threads, int* results) {
  const int value = static_cast<int>(threadIdx.x) < threads ? values[threadIdx.x] : 0;
  const int count = __syncthreads_count(value > 0);
  const int any = __syncthreads_or(value > 0);
  const int all = __syncthreads_and(value > 0);
  if (threadIdx.x == 0) {
    results[0] = count;
    results[1] = any;
    results[2] = all;
  }
}

__global__ void wide_shuffle(const double* values, double* results) {
  results[threadIdx.x] = __shfl_xor_sync(kEveryLane, values[threadIdx.x], 31);
}

__global__ void atomics(int* results, unsigned long long* wide, float* sum) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&results[0], 1);
  atomicMax(&results[1], i);
  atomicMin(&results[2], i);
  atomicOr(&results[3], 1 << (i % 20));
  atomicAnd(&results[4], ~(1 << (i % 20)));
  atomicXor(&results[5], i);
  atomicExch(&results[6], 9);
  atomicCAS(&results[7], 0, 4);
  atomicAdd(wide, 1ULL << 32);
  atomicAdd(sum, 0.5F);
}

__global__ void tile(const ata::BFloat16* a_matrix, const ata::BFloat16* b_matrix, float* result) {
  const int lane = static_cast<int>(threadIdx.x), group = lane / 4, member = lane % 4;
  unsigned a[4], b[2];
  float c[4] = {}, d[4];
  for (int r = 0; r < 4; ++r) {
    const ata::BFloat16* const p = a_matrix + (group + r % 2 * 8) * 16 + member * 2 + r / 2 * 8;
    a[r] = p[0].bits | static_cast<unsigned>(p[1].bits) << 16;
  }
  for (int r = 0; r < 2; ++r) {
    const ata::BFloat16* const p = b_matrix + group * 16 + member * 2 + r * 8;
    b[r] = p[0].bits | static_cast<unsigned>(p[1].bits) << 16;
  }
  ata::cuda::mma_16x8x16(d, a, b, c);
  for (int i = 0; i < 4; ++i) result[(group + i / 2 * 8) * 8 + member * 2 + i % 2] = d[i];
}

// The four quarters of a 16 x 16 matrix, and of its transpose.
struct Tile {
  alignas(16) unsigned short at[16][16];
};
__global__ void tiles(const unsigned short* matrix, unsigned* plain, unsigned* transposed) {
  auto& s = shared_memory<Tile>();
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) s.at[i / 16][i % 16] = matrix[i];
  __syncwarp();
  const int tile = lane / 8;
  const void* const row = &s.at[tile / 2 * 8 + lane % 8][tile % 2 * 8];
  unsigned d[4];
  ata::cuda::load_tiles(d, row);
  for (int i = 0; i < 4; ++i) plain[i * 32 + lane] = d[i];
  ata::cuda::load_tiles_transposed(d, row);
  for (int i = 0; i < 4; ++i) transposed[i * 32 + lane] = d[i];
}

__global__ void indices(int64_t* out) {
  const int64_t block = (int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int64_t thread =
      (int64_t{threadIdx.z} * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int64_t i = block * (int64_t{blockDim.x} * blockDim.y * blockDim.z) + thread;
  out[i] = i;
}

__global__ void add(int* values, int count, int addend) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) values[i] += addend;
}

__global__ void copy(const int* from, int count, int* to) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) to[i] = from[i];
}

struct One {
  int at;
};
__global__ void use_shared(int* out) {
  auto& s = shared_memory<One>();
  if (threadIdx.x == 0) {
    s.at = 7;
    *out = s.at;
  }
}
__global__ void use_shared_unasked(int* out) {
  auto& s = shared_memory<One>();
  s.at = 7;
  *out = s.at;
}

unsigned blocks_of(int count) {
  return static_cast<unsigned>((count + 63) / 64);
}

}  // namespace

void launch_warp_functions(const int* values, int threads, int* rows, cudaStream_t stream) {
  ATA_LAUNCH(warp_functions, dim3(1), dim3(static_cast<unsigned>(threads)), 0, stream, values,
             threads, rows);
}
void launch_block_votes(const int* values, int threads, int* results, cudaStream_t stream) {
  ATA_LAUNCH(block_votes, dim3(1), dim3(static_cast<unsigned>(threads)), 0, stream, values, threads,
             results);
}
void launch_wide_shuffle(const double* values, double* results, cudaStream_t stream) {
  ATA_LAUNCH(wide_shuffle, dim3(1), dim3(32), 0, stream, values, results);
}
void launch_atomics(int blocks, int* results, unsigned long long* wide, float* sum,
                    cudaStream_t stream) {
  ATA_LAUNCH(atomics, dim3(static_cast<unsigned>(blocks)), dim3(100), 0, stream, results, wide,
             sum);
}
void launch_mma(const ata::BFloat16* a, const ata::BFloat16* b, float* c, cudaStream_t stream) {
  ATA_LAUNCH(tile, dim3(1), dim3(32), 0, stream, a, b, c);
}
void launch_tiles(const unsigned short* matrix, unsigned* plain, unsigned* transposed,
                  cudaStream_t stream) {
  ATA_LAUNCH(tiles, dim3(1), dim3(32), sizeof(Tile), stream, matrix, plain, transposed);
}
void launch_indices(dim3 grid, dim3 block, int64_t* out, cudaStream_t stream) {
  ATA_LAUNCH(indices, grid, block, 0, stream, out);
}
void launch_add(int* values, int count, int addend, cudaStream_t stream) {
  ATA_LAUNCH(add, dim3(blocks_of(count)), dim3(64), 0, stream, values, count, addend);
}
void launch_copy(const int* from, int count, int* to, cudaStream_t stream) {
  ATA_LAUNCH(copy, dim3(blocks_of(count)), dim3(64), 0, stream, from, count, to);
}
void launch_shared(size_t bytes, unsigned threads, int* out, cudaStream_t stream) {
  ATA_LAUNCH(use_shared, dim3(1), dim3(threads), bytes, stream, out);
}
void launch_unasked(size_t bytes, int* out, cudaStream_t stream) {
  const auto thread = [out] { use_shared_unasked(out); };
  emu::enqueue(
      stream,
      {"use_shared_unasked", reinterpret_cast<const void*>(use_shared_unasked), dim3(1), dim3(1),
       bytes, [](const void* closure) { (*static_cast<const decltype(thread)*>(closure))(); },
       std::make_shared<decltype(thread)>(thread), sizeof thread});
}

}  // namespace emu_test
