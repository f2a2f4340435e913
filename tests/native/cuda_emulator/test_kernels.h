#ifndef ATA_CUDA_EMULATOR_TEST_KERNELS_H_
#define ATA_CUDA_EMULATOR_TEST_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

/// Kernels that the tests of the emulator run, in files of kernels as the plugin's are.
namespace emu_test {

/// A kernel with a planted defect, or a correct one beside it.
struct Planted {
  const char* name;
  void (*launch)(int* out, cudaStream_t stream);
  /// What the report says; null where there is nothing to report.
  const char* says;
};
/// `out` has this many integers, all written.
constexpr int kPlantedCount = 256;
const std::vector<Planted>& planted_kernels();

/// What a warp's functions gave to each lane: rows of `kLanes`.
constexpr int kLanes = 32;
enum Row {
  kShuffle,
  kShuffleWidth8,
  kXor,
  kUp,
  kUpWidth4,
  kDown,
  kBallot,
  kAny,
  kAll,
  kMatch,
  kReduceMin,
  kReduceMax,
  kReduceAdd,
  kOddLanesSum,
  kSmallMask,
  kRows,
};
void launch_warp_functions(const int* values, int threads, int* rows, cudaStream_t stream);
void launch_block_votes(const int* values, int threads, int* results, cudaStream_t stream);
void launch_wide_shuffle(const double* values, double* results, cudaStream_t stream);
void launch_atomics(int blocks, int* results, unsigned long long* wide, float* sum,
                    cudaStream_t stream);
/// C[16][8] = A[16][16] B[8][16]^T, in bf16.
void launch_mma(const ata::BFloat16* a, const ata::BFloat16* b, float* c, cudaStream_t stream);
/// What load_tiles gives to lanes, of the quarters of a 16 x 16 matrix: `[4][32]` each.
void launch_tiles(const unsigned short* matrix, unsigned* plain, unsigned* transposed,
                  cudaStream_t stream);
/// Every thread of a grid writes its number: out[i] = i.
void launch_indices(dim3 grid, dim3 block, int64_t* out, cudaStream_t stream);

void launch_add(int* values, int count, int addend, cudaStream_t stream);
void launch_copy(const int* from, int count, int* to, cudaStream_t stream);
/// Uses that much shared memory with that many threads.
void launch_shared(size_t bytes, unsigned threads, int* out, cudaStream_t stream);
/// The same without asking for it.
void launch_unasked(size_t bytes, int* out, cudaStream_t stream);

/// One warp access each, of a pattern whose counts are known.
void launch_contiguous(const float* x, float* y, cudaStream_t stream);
void launch_strided(const float* x, int stride, float* y, cudaStream_t stream);
void launch_broadcast(const float* x, float* y, cudaStream_t stream);
void launch_vectors(const float* x, float* y, cudaStream_t stream);
void launch_offset(const float* x, float* y, cudaStream_t stream);
void launch_columns(int row_length, float* y, cudaStream_t stream);
void launch_shared_vectors(int stride, float* y, cudaStream_t stream);
void launch_half_warp(const float* x, float* y, cudaStream_t stream);
void launch_loop(const float* x, int times, float* y, cudaStream_t stream);

}  // namespace emu_test

#endif  // ATA_CUDA_EMULATOR_TEST_KERNELS_H_
