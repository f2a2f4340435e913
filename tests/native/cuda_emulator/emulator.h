#ifndef ATA_CUDA_EMULATOR_EMULATOR_H_
#define ATA_CUDA_EMULATOR_EMULATOR_H_

/// The kernels' dialect on the CPU: what cuda/dialect.h includes where no CUDA compiler runs. A
/// file of kernels is compiled plainly, for speed, or with -fsanitize=thread, and then every access
/// that it makes to memory is checked (hooks.cc).

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <source_location>
#include <type_traits>

#include "cuda/launch.h"
#include "tensor/tensor.h"

#undef __launch_bounds__
#define __launch_bounds__(...)

// Functions that the sanitizer's hooks shall not see, because they are the emulator's own.
#define EMU_PLAIN __attribute__((no_sanitize("thread")))

namespace emu {

/// Of the thread that runs now.
struct Running {
  dim3 thread, block, block_dim, grid_dim;
};
extern Running running;
EMU_PLAIN inline dim3 thread_index() {
  return running.thread;
}
EMU_PLAIN inline dim3 block_index() {
  return running.block;
}
EMU_PLAIN inline dim3 block_size() {
  return running.block_dim;
}
EMU_PLAIN inline dim3 grid_size() {
  return running.grid_dim;
}

/// A place in a kernel's text.
struct Site {
  const char* file = nullptr;
  int line = 0;
  int column = 0;
};
// Parameters, and the argument, by which a function of the dialect learns where it was called.
#define EMU_AT                                                      \
  const char *file = __builtin_FILE(), int line = __builtin_LINE(), \
             int column = static_cast<int>(std::source_location::current().column())
#define EMU_SITE (emu::Site{file, line, column})

enum class Op {
  kSyncWarp,
  kShflIdx,
  kShflXor,
  kShflUp,
  kShflDown,
  kBallot,
  kAny,
  kAll,
  kMatch,
  kMinS,
  kMaxS,
  kMinU,
  kMaxU,
  kAdd,
  kAnd,
  kOr,
  kXor,
  kMma,
  kLoadTiles,
};

/// A function of the lanes of `mask` together; returns when all of them have called it.
uint64_t collective(Op op, uint32_t mask, uint64_t value, int argument, int width, Site site);
/// __syncthreads; returns how many threads came with a predicate other than 0.
int block_barrier_count(int predicate, Site site);
void mma_16x8x16_bf16(float* d, const uint32_t* a, const uint32_t* b, const float* c, Site site);
/// ldmatrix: rows of 16 bytes, one a lane, as four tiles of 8 x 8 elements of 2 bytes.
void load_tiles(uint32_t* d, const void* row, bool transposed, Site site);
/// The copy is made when the thread waits for it, as late as a GPU may.
void async_copy(void* shared, const void* global, int bytes, Site site);
void async_commit();
void async_wait(int pending_groups);
void* shared_memory(size_t bytes, Site site);
void report_misaligned(const void* address, size_t bytes, Site site);
/// Reports an access whose address is no multiple of its size.
EMU_PLAIN inline void check_aligned(const void* address, size_t bytes, Site site) {
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) report_misaligned(address, bytes, site);
}
/// Checks one access of `bytes` bytes.
void note_read(const void* address, size_t bytes, Site site);
void note_write(const void* address, size_t bytes, Site site);
void note_atomic(const void* address, size_t bytes, Site site);
[[noreturn]] void trap(Site site);

template <class To, class From>
EMU_PLAIN To bits(From from) {
  static_assert(sizeof(To) >= sizeof(From) || sizeof(From) == 8);
  To to{};
  __builtin_memcpy(&to, &from, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
  return to;
}

/// `*address = change(*address)`; returns what was there. Threads switch at calls into the emulator
/// alone, so that nothing comes between.
template <class T, class Change>
EMU_PLAIN T atomic(T* address, Site site, Change change) {
  note_atomic(address, sizeof(T), site);
  T old;
  __builtin_memcpy(&old, address, sizeof(T));
  const T now = change(old);
  __builtin_memcpy(address, &now, sizeof(T));
  return old;
}

/// A kernel with its arguments.
struct Launch {
  const char* name;
  const void* kernel;
  dim3 grid, block;
  size_t shared_bytes;
  /// Runs one thread.
  void (*run)(const void* closure);
  std::shared_ptr<const void> closure;
  size_t closure_bytes;
};
/// Queues it; what is wrong becomes the runtime's last error.
void enqueue(cudaStream_t stream, Launch launch);

}  // namespace emu

#define threadIdx (::emu::thread_index())
#define blockIdx (::emu::block_index())
#define blockDim (::emu::block_size())
#define gridDim (::emu::grid_size())
constexpr int warpSize = 32;

#define EMU_FN EMU_PLAIN inline
EMU_FN void __syncthreads(EMU_AT) {
  emu::block_barrier_count(0, EMU_SITE);
}
EMU_FN int __syncthreads_count(int predicate, EMU_AT) {
  return emu::block_barrier_count(predicate, EMU_SITE);
}
EMU_FN int __syncthreads_or(int predicate, EMU_AT) {
  return emu::block_barrier_count(predicate, EMU_SITE) != 0;
}
EMU_FN int __syncthreads_and(int predicate, EMU_AT) {
  return emu::block_barrier_count(predicate == 0, EMU_SITE) == 0;
}
EMU_FN void __syncwarp(unsigned mask = 0xffffffffU, EMU_AT) {
  emu::collective(emu::Op::kSyncWarp, mask, 0, 0, 32, EMU_SITE);
}
EMU_FN unsigned __ballot_sync(unsigned mask, int predicate, EMU_AT) {
  return static_cast<unsigned>(
      emu::collective(emu::Op::kBallot, mask, predicate != 0, 0, 32, EMU_SITE));
}
EMU_FN int __any_sync(unsigned mask, int predicate, EMU_AT) {
  return static_cast<int>(emu::collective(emu::Op::kAny, mask, predicate != 0, 0, 32, EMU_SITE));
}
EMU_FN int __all_sync(unsigned mask, int predicate, EMU_AT) {
  return static_cast<int>(emu::collective(emu::Op::kAll, mask, predicate != 0, 0, 32, EMU_SITE));
}
template <class T>
EMU_PLAIN unsigned __match_any_sync(unsigned mask, T value, EMU_AT) {
  return static_cast<unsigned>(
      emu::collective(emu::Op::kMatch, mask, emu::bits<uint64_t>(value), 0, 32, EMU_SITE));
}
template <class T>
EMU_PLAIN T __shfl_sync(unsigned mask, T value, int lane, int width = 32, EMU_AT) {
  return emu::bits<T>(
      emu::collective(emu::Op::kShflIdx, mask, emu::bits<uint64_t>(value), lane, width, EMU_SITE));
}
template <class T>
EMU_PLAIN T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, EMU_AT) {
  return emu::bits<T>(
      emu::collective(emu::Op::kShflXor, mask, emu::bits<uint64_t>(value), lanes, width, EMU_SITE));
}
template <class T>
EMU_PLAIN T __shfl_up_sync(unsigned mask, T value, int delta, int width = 32, EMU_AT) {
  return emu::bits<T>(
      emu::collective(emu::Op::kShflUp, mask, emu::bits<uint64_t>(value), delta, width, EMU_SITE));
}
template <class T>
EMU_PLAIN T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32, EMU_AT) {
  return emu::bits<T>(emu::collective(emu::Op::kShflDown, mask, emu::bits<uint64_t>(value), delta,
                                      width, EMU_SITE));
}

#define EMU_REDUCE(name, type, op)                                                          \
  EMU_FN type name(unsigned mask, type value, EMU_AT) {                                     \
    return static_cast<type>(                                                               \
        emu::collective(emu::Op::op, mask, static_cast<uint32_t>(value), 0, 32, EMU_SITE)); \
  }
EMU_REDUCE(__reduce_min_sync, int, kMinS)
EMU_REDUCE(__reduce_min_sync, unsigned, kMinU)
EMU_REDUCE(__reduce_max_sync, int, kMaxS)
EMU_REDUCE(__reduce_max_sync, unsigned, kMaxU)
EMU_REDUCE(__reduce_add_sync, int, kAdd)
EMU_REDUCE(__reduce_add_sync, unsigned, kAdd)
EMU_REDUCE(__reduce_and_sync, unsigned, kAnd)
EMU_REDUCE(__reduce_or_sync, unsigned, kOr)
EMU_REDUCE(__reduce_xor_sync, unsigned, kXor)
#undef EMU_REDUCE

#define EMU_ATOMIC(name, type, change)                                                       \
  EMU_FN type name(type* address, type operand, EMU_AT) {                                    \
    return emu::atomic(address, EMU_SITE,                                                    \
                       [operand](type old) EMU_PLAIN { return static_cast<type>(change); }); \
  }
#define EMU_ATOMIC_INTEGERS(type)                                                 \
  EMU_ATOMIC(atomicMin, type, operand < old ? operand : old)                      \
  EMU_ATOMIC(atomicMax, type, operand > old ? operand : old)                      \
  EMU_ATOMIC(atomicAnd, type, old& operand)                                       \
  EMU_ATOMIC(atomicOr, type, old | operand)                                       \
  EMU_ATOMIC(atomicXor, type, old ^ operand)                                      \
  EMU_ATOMIC(atomicExch, type, (static_cast<void>(old), operand))                 \
  EMU_FN type atomicCAS(type* address, type expected, type value, EMU_AT) {       \
    return emu::atomic(address, EMU_SITE, [expected, value](type old) EMU_PLAIN { \
      return old == expected ? value : old;                                       \
    });                                                                           \
  }
EMU_ATOMIC_INTEGERS(int)
EMU_ATOMIC_INTEGERS(unsigned)
EMU_ATOMIC_INTEGERS(unsigned long long)
EMU_ATOMIC(atomicAdd, int, static_cast<unsigned>(old) + static_cast<unsigned>(operand))
EMU_ATOMIC(atomicAdd, unsigned, old + operand)
EMU_ATOMIC(atomicAdd, unsigned long long, old + operand)
EMU_ATOMIC(atomicAdd, float, old + operand)
EMU_ATOMIC(atomicSub, int, static_cast<unsigned>(old) - static_cast<unsigned>(operand))
#undef EMU_ATOMIC_INTEGERS
#undef EMU_ATOMIC

EMU_FN int __ffs(unsigned x) {
  return __builtin_ffs(static_cast<int>(x));
}
EMU_FN int __popc(unsigned x) {
  return __builtin_popcount(x);
}
EMU_FN int __clz(int x) {
  return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}
EMU_FN float __int_as_float(int x) {
  return emu::bits<float>(x);
}
EMU_FN int __float_as_int(float x) {
  return emu::bits<int>(x);
}
EMU_FN unsigned __float_as_uint(float x) {
  return emu::bits<unsigned>(x);
}
EMU_FN float __uint_as_float(unsigned x) {
  return emu::bits<float>(x);
}
EMU_FN float rsqrtf(float x) {
  return 1.0F / sqrtf(x);
}
#define __expf(x) expf(x)
#define __trap() (::emu::trap({__FILE__, __LINE__, 0}))

namespace ata::cuda {

template <class... Parameters, class... Arguments>
void launch_kernel(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  allow_shared_memory(reinterpret_cast<const void*>(kernel), name, shared_bytes);
  const auto thread = [=] { kernel(arguments...); };
  using Closure = std::remove_const_t<decltype(thread)>;
  emu::enqueue(stream, {name, reinterpret_cast<const void*>(kernel), grid, block, shared_bytes,
                        [](const void* closure) { (*static_cast<const Closure*>(closure))(); },
                        std::make_shared<const Closure>(thread), sizeof(Closure)});
  check_launch(name);
}

template <class T>
EMU_PLAIN T& shared_memory(EMU_AT) {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 16);
  return *static_cast<T*>(emu::shared_memory(sizeof(T), EMU_SITE));
}

// Copied as a whole: the compiler would take a vector to pieces, and the hooks see those.
template <class Vector, class T>
EMU_PLAIN Vector load_vector(const T* from, EMU_AT) {
  static_assert(sizeof(Vector) == 4 || sizeof(Vector) == 8 || sizeof(Vector) == 16);
  emu::check_aligned(from, sizeof(Vector), EMU_SITE);
#if defined(__SANITIZE_THREAD__)
  emu::note_read(from, sizeof(Vector), EMU_SITE);
#endif
  Vector value;
  __builtin_memcpy(&value, from, sizeof(Vector));
  return value;
}
template <class Vector, class T>
EMU_PLAIN void store_vector(T* to, Vector value, EMU_AT) {
  static_assert(sizeof(Vector) == 4 || sizeof(Vector) == 8 || sizeof(Vector) == 16);
  emu::check_aligned(to, sizeof(Vector), EMU_SITE);
#if defined(__SANITIZE_THREAD__)
  emu::note_write(to, sizeof(Vector), EMU_SITE);
#endif
  __builtin_memcpy(to, &value, sizeof(Vector));
}

EMU_FN void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                        const float (&c)[4], EMU_AT) {
  emu::mma_16x8x16_bf16(d, a, b, c, EMU_SITE);
}
EMU_FN void copy_async_16(void* shared, const void* global, EMU_AT) {
  emu::async_copy(shared, global, 16, EMU_SITE);
}
EMU_FN void commit_async() {
  emu::async_commit();
}
template <int kPending>
EMU_PLAIN void wait_async() {
  emu::async_wait(kPending);
}
EMU_FN void load_tiles(unsigned (&d)[4], const void* row, EMU_AT) {
  emu::load_tiles(d, row, false, EMU_SITE);
}
EMU_FN void load_tiles_transposed(unsigned (&d)[4], const void* row, EMU_AT) {
  emu::load_tiles(d, row, true, EMU_SITE);
}
EMU_FN int reduce_min(unsigned mask, int value, EMU_AT) {
  return __reduce_min_sync(mask, value, file, line, column);
}

}  // namespace ata::cuda

#define ATA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  ::ata::cuda::launch_kernel(#kernel, kernel, grid, block, shared_bytes, stream, __VA_ARGS__)

#endif  // ATA_CUDA_EMULATOR_EMULATOR_H_
