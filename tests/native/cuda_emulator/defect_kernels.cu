#include "cuda/dialect.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

using ata::cuda::commit_async;
using ata::cuda::copy_async_16;
using ata::cuda::load_vector;
using ata::cuda::shared_memory;
using ata::cuda::store_vector;
using ata::cuda::wait_async;

constexpr int kThreads = 128;
constexpr unsigned kAll = 0xffffffffU;

struct Integers {
  int at[kThreads];
};
struct Halves {
  short at[kThreads];
};

__global__ void barrier_between(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  __syncthreads();
  const int other = s.at[kThreads - 1 - i];
  __syncthreads();
  s.at[i] = other;
  __syncwarp();
  out[i] = s.at[i ^ 1];
}
__global__ void missing_barrier(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  out[i] = s.at[kThreads - 1 - i];
}
__global__ void missing_warp_barrier(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  out[i] = s.at[i ^ 1];
}
__global__ void shuffle_as_barrier(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  __shfl_sync(kAll, 1, 0);
  out[i] = s.at[i ^ 1];
}
__global__ void warp_barrier_for_block(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  __syncwarp();
  out[i] = s.at[(i + 32) % kThreads];
}
__global__ void write_after_read(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  __syncthreads();
  const int other = s.at[(i + 32) % kThreads];
  s.at[i] = other;
  __syncthreads();
  out[i] = s.at[i];
}
__global__ void write_after_read_in_warp(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  __syncwarp();
  s.at[i] = s.at[i ^ 1];
  __syncwarp();
  out[i] = s.at[i];
}
__global__ void barrier_missing_in_loop(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  int sum = 0;
  for (int step = 0; step < 3; ++step) {
    s.at[i] = i + step;
    __syncthreads();
    sum += s.at[(i + 1) % kThreads];
  }
  out[i] = sum;
}
__global__ void neighbours_in_a_word(int* out) {
  auto& s = shared_memory<Halves>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = static_cast<short>(i);
  s.at[i] = static_cast<short>(s.at[i] + 1);
  __syncthreads();
  out[i] = s.at[i ^ 1];
}
__global__ void race_within_a_word(int* out) {
  auto& s = shared_memory<Halves>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = static_cast<short>(i);
  __syncwarp();
  s.at[i] = static_cast<short>(s.at[i] + s.at[i ^ 1]);
  __syncthreads();
  out[i] = s.at[i];
}
__global__ void lanes_sync_in_parts(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  const unsigned half = (i & 16) != 0 ? 0xffff0000U : 0x0000ffffU;
  s.at[i] = i;
  __syncwarp(half);
  const int other = s.at[i ^ 1];
  __syncwarp(half);
  s.at[i] = other;
  __syncwarp();
  out[i] = s.at[i ^ 16];
}
__global__ void lanes_sync_in_other_parts(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[i] = i;
  __syncwarp((i & 16) != 0 ? 0xffff0000U : 0x0000ffffU);
  out[i] = s.at[i ^ 16];
}
__global__ void one_adds_for_all(int* out) {
  auto& s = shared_memory<Integers>();
  const int i = static_cast<int>(threadIdx.x);
  s.at[0] = i;  // every thread another value
  __syncthreads();
  out[i] = s.at[0];
}

__global__ void divergent_barrier(int* out) {
  if (threadIdx.x < 64) {
    __syncthreads();
    out[threadIdx.x] = 1;
  } else {
    __syncthreads();
    out[threadIdx.x] = 2;
    __syncthreads();
  }
}
__global__ void barrier_in_uneven_loop(int* out) {
  for (unsigned i = 0; i < 1 + threadIdx.x / 64; ++i) __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void barrier_missed_by_a_lane(int* out) {
  if (threadIdx.x == 40) __ballot_sync(kAll, 1);
  __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void early_exit_before_barrier(int* out) {
  if (threadIdx.x >= 100) return;  // threads that ended are not waited for
  auto& s = shared_memory<Integers>();
  s.at[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = s.at[(threadIdx.x + 50) % 100];
}

__global__ void mask_of_absent_lanes(int* out) {
  if (threadIdx.x % 32 < 16) {
    out[threadIdx.x] = static_cast<int>(__ballot_sync(kAll, 1));
  } else {
    __syncwarp();
  }
}
__global__ void lane_not_in_mask(int* out) {
  out[threadIdx.x] = __shfl_sync(0x0000ffffU, 1, 0);
}
__global__ void shuffle_from_dead_lane(int* out) {
  if (threadIdx.x % 32 == 3) return;
  out[threadIdx.x] = __shfl_sync(kAll, static_cast<int>(threadIdx.x), 3);
}
__global__ void shuffle_from_lane_outside_mask(int* out) {
  if (threadIdx.x % 32 < 8) {
    out[threadIdx.x] = __shfl_sync(0xffU, static_cast<int>(threadIdx.x), 20);
  }
}
__global__ void votes_in_two_branches(int* out) {
  if (threadIdx.x % 2 == 0) {
    out[threadIdx.x] = __any_sync(kAll, 1);
  } else {
    out[threadIdx.x] = __any_sync(kAll, 0);
  }
}

__global__ void out_of_bounds(int* out) {
  out[kPlantedCount - 100 + threadIdx.x] = 1;
}
__global__ void one_too_many(int* out) {
  out[threadIdx.x] = out[kPlantedCount - kThreads + 1 + threadIdx.x];
}
__global__ void before_the_beginning(int* out) {
  out[static_cast<int>(threadIdx.x) - 1] = 1;
}
__global__ void shared_out_of_bounds(int* out) {
  auto& s = shared_memory<Integers>();
  int* const at = s.at;
  at[threadIdx.x + 1] = 1;
  __syncthreads();
  out[threadIdx.x] = at[threadIdx.x + 1];
}
__global__ void unwritten_shared(int* out) {
  auto& s = shared_memory<Integers>();
  if (threadIdx.x != 5) s.at[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = s.at[threadIdx.x];
}
__global__ void misaligned_vector(int* out) {
  if (threadIdx.x == 0) store_vector(out + 4, load_vector<int4>(out + 1));
}
__global__ void misaligned_word(int* out) {
  auto* const bytes = reinterpret_cast<char*>(out);
  if (threadIdx.x == 0) *reinterpret_cast<volatile int*>(bytes + 2) = 1;
}
__global__ void null_pointer(int* out) {
  const int* volatile none = nullptr;
  out[threadIdx.x] = *(none + (out[0] == -1 ? 1 : 0));
}
__global__ void of_the_host(int* out, const int* host) {
  out[threadIdx.x] = host[threadIdx.x];
}
__global__ void another_threads_local(int* out) {
  struct Pointers {
    int* at[kThreads];
  };
  auto& s = shared_memory<Pointers>();
  volatile int local = static_cast<int>(threadIdx.x);
  s.at[threadIdx.x] = const_cast<int*>(&local);
  __syncthreads();
  out[threadIdx.x] = *s.at[threadIdx.x ^ 1];
  __syncthreads();
}

__global__ void between_blocks(int* out) {
  out[threadIdx.x] += static_cast<int>(blockIdx.x);
}
__global__ void read_of_another_block(int* out) {
  if (blockIdx.x == 0) {
    out[threadIdx.x] = 1;
  } else {
    out[kThreads + threadIdx.x] = out[threadIdx.x];
  }
}
__global__ void atomics_between_blocks(int* out) {
  atomicAdd(out, 1);
}
__global__ void atomic_beside_plain(int* out) {
  atomicAdd(out, 1);
  if (blockIdx.x == 1 && threadIdx.x == 64) out[0] = 5;
}

__global__ void copy_with_wait(int* out) {
  auto& s = shared_memory<Integers>();
  if (threadIdx.x < 32) copy_async_16(s.at + 4 * threadIdx.x, out + 4 * threadIdx.x);
  commit_async();
  wait_async<0>();
  __syncthreads();
  out[threadIdx.x] = s.at[kThreads - 1 - threadIdx.x] + 1;
}
__global__ void copy_without_wait(int* out) {
  auto& s = shared_memory<Integers>();
  if (threadIdx.x < 32) copy_async_16(s.at + 4 * threadIdx.x, out + 4 * threadIdx.x);
  commit_async();
  __syncthreads();
  out[kThreads + threadIdx.x] = s.at[kThreads - 1 - threadIdx.x];
}
__global__ void copy_without_commit(int* out) {
  auto& s = shared_memory<Integers>();
  if (threadIdx.x < 32) copy_async_16(s.at + 4 * threadIdx.x, out + 4 * threadIdx.x);
  wait_async<0>();
  __syncthreads();
  out[kThreads + threadIdx.x] = s.at[threadIdx.x];
}
__global__ void copy_without_barrier(int* out) {
  auto& s = shared_memory<Integers>();
  if (threadIdx.x < 32) copy_async_16(s.at + 4 * threadIdx.x, out + 4 * threadIdx.x);
  commit_async();
  wait_async<0>();
  out[kThreads + threadIdx.x] = s.at[kThreads - 1 - threadIdx.x];
}
__global__ void copy_waits_for_too_little(int* out) {
  struct Two {
    int at[2][kThreads];
  };
  auto& s = shared_memory<Two>();
  for (int stage = 0; stage < 2; ++stage) {
    if (threadIdx.x < 32) {
      copy_async_16(s.at[stage] + 4 * threadIdx.x, out + kThreads * stage + 4 * threadIdx.x);
    }
    commit_async();
  }
  wait_async<1>();
  __syncthreads();
  out[threadIdx.x] = s.at[1][threadIdx.x];
}
__global__ void copy_over_what_is_read(int* out) {
  auto& s = shared_memory<Integers>();
  s.at[threadIdx.x] = 1;
  __syncthreads();
  const int other = s.at[(threadIdx.x + 64) % kThreads];
  if (threadIdx.x < 32) copy_async_16(s.at + 4 * threadIdx.x, out + 4 * threadIdx.x);
  commit_async();
  wait_async<0>();
  __syncthreads();
  out[kThreads + threadIdx.x] = other + s.at[threadIdx.x];
}
__global__ void part_of_a_warp_multiplies(int* out) {
  float d[4], c[4] = {};
  const unsigned a[4] = {}, b[2] = {};
  if (threadIdx.x % 32 == 31) return;
  ata::cuda::mma_16x8x16(d, a, b, c);
  out[threadIdx.x] = static_cast<int>(d[0]);
}

template <auto kKernel, class Shared = Integers, unsigned kBlocks = 1>
void run(int* out, cudaStream_t stream) {
  ATA_LAUNCH(kKernel, dim3(kBlocks), dim3(kThreads), sizeof(Shared), stream, out);
}
// Each block's shared memory is its own.
__global__ void one_writes_by_block(int* out) {
  auto& s = shared_memory<Integers>();
  if (threadIdx.x == blockIdx.x) s.at[0] = static_cast<int>(blockIdx.x);
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = s.at[0];
}
void run_of_the_host(int* out, cudaStream_t stream) {
  static int host[kThreads] = {};
  ATA_LAUNCH(of_the_host, dim3(1), dim3(kThreads), 0, stream, out, host);
}
struct None {};
struct Bigger {
  int at[4 * kThreads];
};

}  // namespace

const std::vector<Planted>& planted_kernels() {
  static const std::vector<Planted> kernels = {
      {"barrier_between", run<barrier_between>, nullptr},
      {"one_writes_by_block", run<one_writes_by_block, Integers, 5>, nullptr},
      {"missing_barrier", run<missing_barrier>, "race in shared memory"},
      {"missing_warp_barrier", run<missing_warp_barrier>, "race in shared memory"},
      {"shuffle_as_barrier", run<shuffle_as_barrier>, "race in shared memory"},
      {"warp_barrier_for_block", run<warp_barrier_for_block>, "race in shared memory"},
      {"write_after_read", run<write_after_read>, "race in shared memory"},
      {"write_after_read_in_warp", run<write_after_read_in_warp>, "race in shared memory"},
      {"barrier_missing_in_loop", run<barrier_missing_in_loop>, "race in shared memory"},
      {"neighbours_in_a_word", run<neighbours_in_a_word, Halves>, nullptr},
      {"race_within_a_word", run<race_within_a_word, Halves>, "race in shared memory"},
      {"lanes_sync_in_parts", run<lanes_sync_in_parts>, nullptr},
      {"lanes_sync_in_other_parts", run<lanes_sync_in_other_parts>, "race in shared memory"},
      {"one_adds_for_all", run<one_adds_for_all>, "race in shared memory"},
      {"divergent_barrier", run<divergent_barrier>, "divergent __syncthreads"},
      {"barrier_in_uneven_loop", run<barrier_in_uneven_loop>, "divergent __syncthreads"},
      {"barrier_missed_by_a_lane", run<barrier_missed_by_a_lane>, "deadlock"},
      {"early_exit_before_barrier", run<early_exit_before_barrier>, nullptr},
      {"mask_of_absent_lanes", run<mask_of_absent_lanes>, "deadlock"},
      {"lane_not_in_mask", run<lane_not_in_mask>, "whose mask leaves it out"},
      {"shuffle_from_dead_lane", run<shuffle_from_dead_lane>, "shuffles from lane 3"},
      {"shuffle_from_lane_outside_mask", run<shuffle_from_lane_outside_mask>,
       "shuffles from lane 20"},
      {"votes_in_two_branches", run<votes_in_two_branches>, "deadlock"},
      {"out_of_bounds", run<out_of_bounds>, "outside every allocation"},
      {"one_too_many", run<one_too_many>, "outside every allocation"},
      {"before_the_beginning", run<before_the_beginning>, "outside every allocation"},
      {"shared_out_of_bounds", run<shared_out_of_bounds>, "outside every allocation"},
      {"too_little_shared", run<barrier_between, None>, "bytes of shared memory and was launched"},
      {"unwritten_shared", run<unwritten_shared>, "shared memory that nobody wrote"},
      {"misaligned_vector", run<misaligned_vector>, "misaligned access of 16 bytes"},
      {"misaligned_word", run<misaligned_word>, "misaligned access of 4 bytes"},
      {"null_pointer", run<null_pointer>, "reads address 0"},
      {"of_the_host", run_of_the_host, "reads memory of the host"},
      {"another_threads_local", run<another_threads_local, Bigger>, "local variable of another"},
      {"between_blocks", run<between_blocks, None, 2>, "race in global memory"},
      {"read_of_another_block", run<read_of_another_block, None, 2>, "race in global memory"},
      {"atomics_between_blocks", run<atomics_between_blocks, None, 3>, nullptr},
      {"atomic_beside_plain", run<atomic_beside_plain, None, 2>, "race in global memory"},
      {"copy_with_wait", run<copy_with_wait>, nullptr},
      {"copy_without_wait", run<copy_without_wait>, "was not waited for"},
      {"copy_without_commit", run<copy_without_commit>, "was not waited for"},
      {"copy_without_barrier", run<copy_without_barrier>, "shared memory"},
      {"copy_waits_for_too_little", run<copy_waits_for_too_little, Bigger>, "was not waited for"},
      {"copy_over_what_is_read", run<copy_over_what_is_read>, "shared memory"},
      {"part_of_a_warp_multiplies", run<part_of_a_warp_multiplies, None>,
       "mma by a part of a warp"},
  };
  return kernels;
}

}  // namespace emu_test
