// CPU execution of the kernel dialect, for tests. Included by dialect.h when no CUDA compiler runs.
// Everything a kernel can name is a plain function in emulator.cc, so that this header holds no
// state and the kernel's own file can be instrumented (-fsanitize=thread) on its own.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>

#include "cuda/launch.h"

#include "tensor/tensor.h"

#undef __launch_bounds__
#define __launch_bounds__(...)

namespace emu {
dim3 thread_idx();
dim3 block_idx();
dim3 block_dim();
dim3 grid_dim();
void* shared_memory(size_t bytes);
enum class Op { kSyncWarp, kShflIdx, kShflXor, kShflUp, kShflDown, kBallot, kAny, kAll,
                kMinS, kMaxS, kMinU, kMaxU, kAdd, kOr, kMma };
struct Site { const char* file; int line; };
uint64_t collective(Op op, uint32_t mask, uint64_t value, int lane, int width, Site site);
int block_barrier_count(int predicate, Site site);
void mma_16x8x16_bf16(float* d, const uint32_t* a, const uint32_t* b, const float* c, Site site);
void async_copy(void* shared, const void* global, int bytes, Site site);  // arrives at async_wait
void async_commit();
void async_wait(int pending_groups);
void check_aligned(const void* p, size_t bytes, Site site);
uint32_t atomic_rmw(void* address, uint32_t (*f)(uint32_t, uint32_t), uint32_t operand);
template <class To, class From> To bits(From from) {
  To to{};
  static_assert(sizeof(To) >= sizeof(From) || sizeof(From) == 8);
  __builtin_memcpy(&to, &from, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
  return to;
}

// ---- host side ---------------------------------------------------------------------------------
enum class Order { kAscending, kDescending, kRandom };
struct Options {
  Order order = Order::kAscending;
  uint64_t seed = 1;
  double preempt = 0;       // chance to switch threads at an instrumented memory access
  bool deferred = false;    // streams run only when somebody waits for them
};
Options& options();
using Stream = CUstream_st;
Stream* create_stream();
void synchronize(Stream* stream);
void* device_malloc(size_t bytes);
void device_free(void* pointer);
void copy(void* to, const void* from, size_t bytes, Stream* stream);  // any direction, by address
void fill(void* to, int byte, size_t bytes, Stream* stream);
/// Work of a library on the device's memory.
void host_work(Stream* stream, std::function<void()> work);
void enqueue(Stream* stream, dim3 grid, dim3 block, size_t shared, const char* name,
             std::function<void()> thread);
// First defect found since the last call; empty when there was none. Sticky, like a CUDA error.
std::string take_error();
struct Counts { uint64_t launches, switches, collectives, accesses; };
Counts counts();
}  // namespace emu

#define threadIdx (::emu::thread_idx())
#define blockIdx (::emu::block_idx())
#define blockDim (::emu::block_dim())
#define gridDim (::emu::grid_dim())
constexpr int warpSize = 32;

#define EMU_AT const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define EMU_SITE (emu::Site{file, line})
#define EMU_FN inline
EMU_FN void __syncthreads(EMU_AT) { emu::block_barrier_count(0, EMU_SITE); }
EMU_FN int __syncthreads_count(int p, EMU_AT) { return emu::block_barrier_count(p, EMU_SITE); }
EMU_FN void __syncwarp(unsigned mask = 0xffffffffu, EMU_AT) {
  emu::collective(emu::Op::kSyncWarp, mask, 0, 0, 32, EMU_SITE);
}
EMU_FN unsigned __ballot_sync(unsigned mask, int p, EMU_AT) {
  return unsigned(emu::collective(emu::Op::kBallot, mask, p != 0, 0, 32, EMU_SITE));
}
EMU_FN int __any_sync(unsigned mask, int p, EMU_AT) {
  return int(emu::collective(emu::Op::kAny, mask, p != 0, 0, 32, EMU_SITE));
}
EMU_FN int __all_sync(unsigned mask, int p, EMU_AT) {
  return int(emu::collective(emu::Op::kAll, mask, p != 0, 0, 32, EMU_SITE));
}
template <class T> T __shfl_sync(unsigned mask, T v, int lane, int width = 32, EMU_AT) {
  return emu::bits<T>(emu::collective(emu::Op::kShflIdx, mask, emu::bits<uint64_t>(v), lane, width, EMU_SITE));
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int lane, int width = 32, EMU_AT) {
  return emu::bits<T>(emu::collective(emu::Op::kShflXor, mask, emu::bits<uint64_t>(v), lane, width, EMU_SITE));
}
template <class T> T __shfl_up_sync(unsigned mask, T v, int d, int width = 32, EMU_AT) {
  return emu::bits<T>(emu::collective(emu::Op::kShflUp, mask, emu::bits<uint64_t>(v), d, width, EMU_SITE));
}
template <class T> T __shfl_down_sync(unsigned mask, T v, int d, int width = 32, EMU_AT) {
  return emu::bits<T>(emu::collective(emu::Op::kShflDown, mask, emu::bits<uint64_t>(v), d, width, EMU_SITE));
}
EMU_FN int __reduce_min_sync(unsigned m, int v, EMU_AT) {
  return int(emu::collective(emu::Op::kMinS, m, uint32_t(v), 0, 32, EMU_SITE));
}
EMU_FN unsigned __reduce_min_sync(unsigned m, unsigned v, EMU_AT) {
  return unsigned(emu::collective(emu::Op::kMinU, m, v, 0, 32, EMU_SITE));
}
EMU_FN int __reduce_max_sync(unsigned m, int v, EMU_AT) {
  return int(emu::collective(emu::Op::kMaxS, m, uint32_t(v), 0, 32, EMU_SITE));
}
EMU_FN int __reduce_add_sync(unsigned m, int v, EMU_AT) {
  return int(emu::collective(emu::Op::kAdd, m, uint32_t(v), 0, 32, EMU_SITE));
}
EMU_FN int atomicAdd(int* p, int v) {
  return int(emu::atomic_rmw(p, [](uint32_t a, uint32_t b) { return a + b; }, uint32_t(v)));
}
EMU_FN float atomicAdd(float* p, float v) {
  return emu::bits<float>(emu::atomic_rmw(p, [](uint32_t a, uint32_t b) {
    return emu::bits<uint32_t>(emu::bits<float>(a) + emu::bits<float>(b)); }, emu::bits<uint32_t>(v)));
}
EMU_FN int atomicMax(int* p, int v) {
  return int(emu::atomic_rmw(p, [](uint32_t a, uint32_t b) { return int(a) > int(b) ? a : b; }, uint32_t(v)));
}
// D = A B + C for one warp: what dialect.h writes as mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32.
namespace ata::cuda {
EMU_FN void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4], EMU_AT) {
  emu::mma_16x8x16_bf16(d, a, b, c, EMU_SITE);
}
EMU_FN void copy_async_16(void* shared, const void* global, EMU_AT) { emu::async_copy(shared, global, 16, EMU_SITE); }
EMU_FN void commit_async() { emu::async_commit(); }
template <int kPending> void wait_async() { emu::async_wait(kPending); }
EMU_FN int reduce_min(unsigned mask, int value, EMU_AT) {
  return int(emu::collective(emu::Op::kMinS, mask, uint32_t(value), 0, 32, EMU_SITE));
}
template <class V, class T> V load_vector(const T* p, EMU_AT) { emu::check_aligned(p, sizeof(V), EMU_SITE); return *reinterpret_cast<const V*>(p); }
template <class V, class T> void store_vector(T* p, V v, EMU_AT) { emu::check_aligned(p, sizeof(V), EMU_SITE); *reinterpret_cast<V*>(p) = v; }
template <class T> T& shared_memory() {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 16);
  return *static_cast<T*>(emu::shared_memory(sizeof(T)));
}
}  // namespace ata::cuda
inline int __ffs(unsigned x) { return __builtin_ffs(int(x)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
#define __expf(x) expf(x)
inline float __int_as_float(int x) { return emu::bits<float>(x); }
inline int __float_as_int(float x) { return emu::bits<int>(x); }
EMU_FN int atomicOr(int* p, int v) {
  return int(emu::atomic_rmw(p, [](uint32_t a, uint32_t b) { return a | b; }, uint32_t(v)));
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

namespace ata::cuda {
template <class... Parameters, class... Arguments>
void launch_kernel(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  allow_shared_memory(reinterpret_cast<const void*>(kernel), name, shared_bytes);
  emu::enqueue(stream, grid, block, shared_bytes, name, [=] { kernel(arguments...); });
  check_launch(name);
}
}  // namespace ata::cuda

#define ATA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  ::ata::cuda::launch_kernel(#kernel, kernel, grid, block, shared_bytes, stream, __VA_ARGS__)

namespace ata::cuda {
// What dialect.h writes as ldmatrix: every lane names a row and reads from those of others.
template <bool kTransposed>
void load_tiles_of(unsigned (&d)[4], const void* row, emu::Site site) {
  emu::check_aligned(row, 16, site);
  const int lane = static_cast<int>(
      (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % warpSize);
  for (int tile = 0; tile < 4; ++tile) {
    const auto row_of = [&](int r) {
      return reinterpret_cast<const unsigned short*>(
          __shfl_sync(0xffffffffu, reinterpret_cast<uint64_t>(row), 8 * tile + r, 32, site.file,
                      site.line));
    };
    if (kTransposed) {
      const unsigned short* const first = row_of(lane % 4 * 2);
      const unsigned short* const second = row_of(lane % 4 * 2 + 1);
      d[tile] = first[lane / 4] | unsigned{second[lane / 4]} << 16;
    } else {
      d[tile] = *reinterpret_cast<const unsigned*>(row_of(lane / 4) + lane % 4 * 2);
    }
  }
}
EMU_FN void load_tiles(unsigned (&d)[4], const void* row, EMU_AT) {
  load_tiles_of<false>(d, row, EMU_SITE);
}
EMU_FN void load_tiles_transposed(unsigned (&d)[4], const void* row, EMU_AT) {
  load_tiles_of<true>(d, row, EMU_SITE);
}
}  // namespace ata::cuda
