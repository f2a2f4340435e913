#include "cuda/blas.h"

#include <algorithm>
#include <bit>
#include <compare>
#include <map>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "cuda/launch.h"
#include "cuda/libraries.h"
#include "cuda/stream_state.h"

namespace ata::cuda {
namespace {

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  // The runtime may remember the cause, which the next launch would take for its own.
  const cudaError_t cause = cudaGetLastError();
  if (status == CUBLAS_STATUS_ALLOC_FAILED) {
    fail(ATA_OUT_OF_MEMORY, "cuBLASLt: ", what,
         " failed: it has no memory; use smaller batches, fewer frames, or bf16");
  }
  if (cause != cudaSuccess) ata::cuda::check(cause, concat("cuBLASLt: ", what).c_str());
  fail(ATA_DEVICE_UNAVAILABLE, "cuBLASLt: ", what,
       " failed: ", blas_lt().get_status_string(status));
}

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

// The greatest power of two up to 256 that divides an address: what cuBLASLt's choice rests on.
int alignment_of(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address);
  return 1 << std::min(std::countr_zero(bits | 256U), 8);
}

// A matrix as cuBLASLt sees it: column-major, so that the row-major [rows, columns] is its
// transpose.
struct Layout {
  int64_t rows;
  int64_t columns;
  DType dtype;
  int64_t stride;
  int alignment;
  auto operator<=>(const Layout&) const = default;
};

// What an algorithm is chosen for.
struct Problem {
  Layout a;
  Layout b;
  Layout c;
  bool transpose_a;
  bool transpose_b;
  bool bias;
  bool accumulate;
  int64_t batch;
  auto operator<=>(const Problem&) const = default;
};

// What cuBLASLt made, which is its own to destroy.
template <typename Opaque>
using Owned = std::unique_ptr<Opaque, cublasStatus_t (*)(Opaque*)>;

class MatmulDesc {
 public:
  MatmulDesc(const Problem& problem, const void* bias) {
    cublasLtMatmulDesc_t desc = nullptr;
    check(blas_lt().matmul_desc_create(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "describing a product");
    desc_.reset(desc);
    const cublasOperation_t a = problem.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t b = problem.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    set(CUBLASLT_MATMUL_DESC_TRANSA, a);
    set(CUBLASLT_MATMUL_DESC_TRANSB, b);
    if (problem.bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(problem.c.dtype));
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    }
  }
  cublasLtMatmulDesc_t get() const { return desc_.get(); }

 private:
  template <typename T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    check(blas_lt().matmul_desc_set_attribute(desc_.get(), attribute, &value, sizeof(value)),
          "describing a product");
  }
  Owned<cublasLtMatmulDescOpaque_t> desc_{nullptr, blas_lt().matmul_desc_destroy};
};

class MatrixLayout {
 public:
  MatrixLayout(const Layout& layout, int64_t batch) {
    const BlasLt& lt = blas_lt();
    cublasLtMatrixLayout_t made = nullptr;
    check(lt.matrix_layout_create(&made, type_of(layout.dtype), static_cast<uint64_t>(layout.rows),
                                  static_cast<uint64_t>(layout.columns), layout.rows),
          "describing a matrix");
    layout_.reset(made);
    if (batch == 1) return;
    set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(batch));
    set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, layout.stride);
  }
  cublasLtMatrixLayout_t get() const { return layout_.get(); }

 private:
  template <typename T>
  void set(cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
    check(blas_lt().matrix_layout_set_attribute(layout_.get(), attribute, &value, sizeof(value)),
          "describing a matrix");
  }
  Owned<cublasLtMatrixLayoutOpaque_t> layout_{nullptr, blas_lt().matrix_layout_destroy};
};

class Preference {
 public:
  explicit Preference(const Problem& problem) {
    cublasLtMatmulPreference_t made = nullptr;
    check(blas_lt().matmul_preference_create(&made), "asking for an algorithm");
    preference_.reset(made);
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, StreamState::kBlasWorkspace);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(problem.a.alignment));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(problem.b.alignment));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(problem.c.alignment));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(problem.c.alignment));
  }
  cublasLtMatmulPreference_t get() const { return preference_.get(); }

 private:
  template <typename T>
  void set(cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    check(blas_lt().matmul_preference_set_attribute(preference_.get(), attribute, &value,
                                                    sizeof(value)),
          "asking for an algorithm");
  }
  Owned<cublasLtMatmulPreferenceOpaque_t> preference_{nullptr, blas_lt().matmul_preference_destroy};
};

// cuBLASLt on one GPU: its handle, and the algorithm of each problem that was seen.
class Blas {
 public:
  Blas() { check(blas_lt().create(&handle_), "starting"); }

  cublasLtHandle_t handle() const { return handle_; }

  cublasLtMatmulAlgo_t algorithm(const Problem& problem, const MatmulDesc& desc,
                                 const MatrixLayout& a, const MatrixLayout& b,
                                 const MatrixLayout& c) {
    std::lock_guard lock(mutex_);
    const auto known = algorithms_.find(problem);
    if (known != algorithms_.end()) return known->second;
    const Preference preference(problem);
    cublasLtMatmulHeuristicResult_t result = {};
    int found = 0;
    const cublasStatus_t status =
        blas_lt().matmul_algo_get_heuristic(handle_, desc.get(), a.get(), b.get(), c.get(), c.get(),
                                            preference.get(), 1, &result, &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "choosing an algorithm");
    if (found == 0) {
      fail(ATA_UNSUPPORTED, "cuBLASLt has no algorithm for the product [", problem.c.columns, ", ",
           problem.transpose_a ? problem.a.rows : problem.a.columns, "] x [", problem.c.rows,
           "] of ", dtype_name(problem.a.dtype), " on this GPU");
    }
    return algorithms_.emplace(problem, result.algo).first->second;
  }

 private:
  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::map<Problem, cublasLtMatmulAlgo_t> algorithms_;
};

// Of the device's, alive as long as the process.
Blas& blas_of(const Device& device) {
  static std::mutex mutex;
  static auto& all = *new std::map<const Device*, Blas*>;
  std::lock_guard lock(mutex);
  Blas*& blas = all[&device];
  if (!blas) blas = new Blas;
  return *blas;
}

}  // namespace

void multiply(Stream& stream, const MatrixView& a, const MatrixView& b, const Tensor& bias,
              bool accumulate, Tensor& c, const Batch& batch) {
  // In cuBLASLt's columns c is its transpose: op(b)^T op(a)^T.
  const auto layout = [](const Tensor& matrix, int64_t stride) {
    return Layout{matrix.dim(1), matrix.dim(0), matrix.dtype(), stride,
                  alignment_of(matrix.address())};
  };
  if (c.count() == 0 || batch.count == 0) return;
  const Problem problem = {layout(b.data, batch.b_stride),
                           layout(a.data, batch.a_stride),
                           layout(c, batch.c_stride),
                           b.transposed,
                           a.transposed,
                           bias.defined(),
                           accumulate,
                           batch.count};
  const MatmulDesc desc(problem, bias.address());
  const MatrixLayout left(problem.a, batch.count), right(problem.b, batch.count),
      result(problem.c, batch.count);
  Blas& blas = blas_of(stream.device);
  const cublasLtMatmulAlgo_t algorithm = blas.algorithm(problem, desc, left, right, result);
  const float one = 1, beta = accumulate ? 1 : 0;
  check(blas_lt().matmul(blas.handle(), desc.get(), &one, b.data.address(), left.get(),
                         a.data.address(), right.get(), &beta, c.address(), result.get(),
                         c.address(), result.get(), &algorithm, state_of(stream).blas_workspace(),
                         StreamState::kBlasWorkspace, queue(stream)),
        "a product");
}

}  // namespace ata::cuda
