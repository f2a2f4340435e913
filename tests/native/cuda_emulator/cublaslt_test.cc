// The stand-in for cuBLASLt against plain loops, and what it refuses.
#include <cublasLt.h>

#include <cmath>
#include <random>

#include "product.h"
#include "test_device.h"

namespace emu_test {
namespace {

struct Problem {
  int64_t m = 37, n = 29, k = 53;
  bool transpose_a = false, transpose_b = false;
  cudaDataType_t in = CUDA_R_32F, out = CUDA_R_32F;
  bool bias = false;
  float alpha = 1, beta = 0;
  int batch = 1;
  int64_t gap = 0;  // between columns, and between the matrices of a batch
};

class CublasLt : public EmulatedGpu {
 protected:
  CublasLt() { EXPECT_EQ(cublasLtCreate(&handle_), CUBLAS_STATUS_SUCCESS); }
  ~CublasLt() override { EXPECT_EQ(cublasLtDestroy(handle_), CUBLAS_STATUS_SUCCESS); }

  struct Matrix {
    int64_t rows, columns, leading, stride;
    cudaDataType_t type;
    std::vector<float> values;  // as rounded
    char* data = nullptr;
    cublasLtMatrixLayout_t layout = nullptr;

    float at(int64_t batch, int64_t row, int64_t column) const {
      return values[static_cast<size_t>(batch * stride + column * leading + row)];
    }
  };

  Matrix make_matrix(int64_t rows, int64_t columns, cudaDataType_t type, const Problem& problem) {
    Matrix x = {rows, columns, rows + problem.gap, 0, type, {}, nullptr, nullptr};
    x.stride = x.leading * columns + problem.gap;
    const auto count = static_cast<size_t>(x.stride * problem.batch);
    std::vector<uint16_t> narrow;
    for (size_t i = 0; i < count; ++i) {
      float value = normal_(random_);
      if (type == CUDA_R_16BF) {
        narrow.push_back(emu::narrow_bf16(value));
        value = emu::widen_bf16(narrow.back());
      }
      x.values.push_back(value);
    }
    x.data = type == CUDA_R_16BF ? reinterpret_cast<char*>(make(narrow))
                                 : reinterpret_cast<char*>(make(x.values));
    cublasLtMatrixLayoutCreate(&x.layout, type, static_cast<uint64_t>(rows),
                               static_cast<uint64_t>(columns), x.leading);
    const int32_t batch = problem.batch;
    cublasLtMatrixLayoutSetAttribute(x.layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch,
                                     sizeof batch);
    cublasLtMatrixLayoutSetAttribute(x.layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                     &x.stride, sizeof x.stride);
    return x;
  }

  void set_up(const Problem& problem) {
    tear_down();
    a_ = problem.transpose_a ? make_matrix(problem.k, problem.m, problem.in, problem)
                             : make_matrix(problem.m, problem.k, problem.in, problem);
    b_ = problem.transpose_b ? make_matrix(problem.n, problem.k, problem.in, problem)
                             : make_matrix(problem.k, problem.n, problem.in, problem);
    c_ = make_matrix(problem.m, problem.n, problem.out, problem);
    Problem flat = problem;
    flat.batch = 1;
    bias_ = make_matrix(problem.m, 1, problem.out, flat);
    cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    const cublasOperation_t a = problem.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t b = problem.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    describe(CUBLASLT_MATMUL_DESC_TRANSA, a);
    describe(CUBLASLT_MATMUL_DESC_TRANSB, b);
    if (problem.bias) {
      describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias_.data);
      describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(problem.out));
    }
    cublasLtMatmulPreferenceCreate(&preference_);
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes_);
    if (workspace_ == nullptr) workspace_ = make<char>(workspace_bytes_);
  }
  template <class T>
  void describe(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    EXPECT_EQ(cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof value),
              CUBLAS_STATUS_SUCCESS);
  }
  template <class T>
  void prefer(cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    EXPECT_EQ(cublasLtMatmulPreferenceSetAttribute(preference_, attribute, &value, sizeof value),
              CUBLAS_STATUS_SUCCESS);
  }
  void tear_down() {
    for (Matrix* x : {&a_, &b_, &c_, &bias_}) {
      if (x->layout != nullptr) cublasLtMatrixLayoutDestroy(x->layout);
      if (x->data != nullptr) release(x->data);
      *x = {};
    }
    if (description_ != nullptr) cublasLtMatmulDescDestroy(description_);
    if (preference_ != nullptr) cublasLtMatmulPreferenceDestroy(preference_);
    description_ = nullptr;
    preference_ = nullptr;
  }
  void TearDown() override { tear_down(); }

  cublasStatus_t choose() {
    int found = 0;
    return cublasLtMatmulAlgoGetHeuristic(handle_, description_, a_.layout, b_.layout, c_.layout,
                                          c_.layout, preference_, 1, &choice_, &found);
  }
  cublasStatus_t multiply(const Problem& problem, size_t workspace_bytes) {
    return cublasLtMatmul(handle_, description_, &problem.alpha, a_.data, a_.layout, b_.data,
                          b_.layout, &problem.beta, c_.data, c_.layout, c_.data, c_.layout,
                          &choice_.algo, workspace_, workspace_bytes, nullptr);
  }
  cublasStatus_t multiply(const Problem& problem) { return multiply(problem, workspace_bytes_); }

  void check(const Problem& problem) {
    set_up(problem);
    ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(multiply(problem), CUBLAS_STATUS_SUCCESS);
    std::vector<float> got;
    const size_t count = c_.values.size();
    if (problem.out == CUDA_R_16BF) {
      for (uint16_t bits : read(reinterpret_cast<uint16_t*>(c_.data), count)) {
        got.push_back(emu::widen_bf16(bits));
      }
    } else {
      got = read(reinterpret_cast<float*>(c_.data), count);
    }
    const double tolerance = problem.out == CUDA_R_16BF ? 5e-3 : 1e-5;
    for (int64_t batch = 0; batch < problem.batch; ++batch) {
      for (int64_t column = 0; column < problem.n; ++column) {
        for (int64_t row = 0; row < problem.m; ++row) {
          double sum = 0, size = 1;
          for (int64_t i = 0; i < problem.k; ++i) {
            const double term =
                double{problem.transpose_a ? a_.at(batch, i, row) : a_.at(batch, row, i)} *
                (problem.transpose_b ? b_.at(batch, column, i) : b_.at(batch, i, column));
            sum += term;
            size += std::abs(term);
          }
          double wanted = problem.alpha * sum + problem.beta * c_.at(batch, row, column);
          if (problem.bias) wanted += bias_.at(0, row, 0);
          const auto at = static_cast<size_t>(batch * c_.stride + column * c_.leading + row);
          ASSERT_NEAR(
              got[at], wanted,
              tolerance * (problem.out == CUDA_R_16BF ? std::abs(wanted) + 1e-3 * size : size));
          got[at] = c_.values[at];
        }
      }
    }
    EXPECT_EQ(got, c_.values);  // the gaps are as they were
  }

  cublasLtHandle_t handle_ = nullptr;
  std::mt19937 random_{1};
  std::normal_distribution<float> normal_;
  Matrix a_ = {}, b_ = {}, c_ = {}, bias_ = {};
  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  cublasLtMatmulHeuristicResult_t choice_ = {};
  uint64_t workspace_bytes_ = 4 << 20;
  char* workspace_ = nullptr;
};

TEST_F(CublasLt, Transposes) {
  for (int i = 0; i < 8; ++i) {
    check({.transpose_a = i % 2 != 0, .transpose_b = i / 2 % 2 != 0, .gap = i / 4 * 3});
  }
}

TEST_F(CublasLt, TypesBiasAndBeta) {
  for (const auto& [in, out] :
       {std::pair{CUDA_R_32F, CUDA_R_32F}, std::pair{CUDA_R_16BF, CUDA_R_16BF},
        std::pair{CUDA_R_16BF, CUDA_R_32F}}) {
    for (const bool bias : {false, true}) {
      for (const float beta : {0.0F, 1.0F, 0.5F}) {
        check(
            {.transpose_a = true, .in = in, .out = out, .bias = bias, .alpha = 1.5F, .beta = beta});
      }
    }
  }
}

TEST_F(CublasLt, BatchesAndLongSums) {
  check({.m = 5, .n = 3, .k = 7, .bias = true, .batch = 4, .gap = 2});
  check({.m = 33, .n = 7, .k = 1500, .transpose_b = true, .in = CUDA_R_16BF, .batch = 2});
  check({.m = 1, .n = 1, .k = 1});
  check({.m = 200, .n = 190, .k = 180});
}

TEST_F(CublasLt, ShapesThatDoNotFitAreRefused) {
  const Problem problem;
  struct Case {
    const char* name;
    uint64_t rows, columns;
    int64_t leading;
  };
  for (const Case& wrong : {Case{"leading dimension", 37, 53, 36}, Case{"rows", 36, 53, 37},
                            Case{"columns", 37, 52, 37}, Case{"empty", 0, 53, 37}}) {
    set_up(problem);
    cublasLtMatrixLayoutDestroy(a_.layout);
    cublasLtMatrixLayoutCreate(&a_.layout, CUDA_R_32F, wrong.rows, wrong.columns, wrong.leading);
    EXPECT_EQ(choose(), CUBLAS_STATUS_INVALID_VALUE) << wrong.name;
  }
  set_up(problem);
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  const int64_t long_leading = 38;  // beyond the end of the memory
  cublasLtMatrixLayoutSetAttribute(a_.layout, CUBLASLT_MATRIX_LAYOUT_LD, &long_leading, 8);
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(multiply(problem), CUBLAS_STATUS_INVALID_VALUE);
  // The results of a batch overlap.
  const Problem batched = {.batch = 3};
  set_up(batched);
  const int64_t stride = 37;
  cublasLtMatrixLayoutSetAttribute(c_.layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                   8);
  EXPECT_EQ(choose(), CUBLAS_STATUS_INVALID_VALUE);
  set_up(batched);
  const int32_t two = 2;
  cublasLtMatrixLayoutSetAttribute(b_.layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &two, 4);
  EXPECT_EQ(choose(), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, TypesThatDoNotFitAreRefused) {
  set_up({});
  cublasLtMatrixLayoutDestroy(b_.layout);
  cublasLtMatrixLayoutCreate(&b_.layout, CUDA_R_16BF, 53, 29, 53);
  EXPECT_EQ(choose(), CUBLAS_STATUS_NOT_SUPPORTED);
  set_up({.bias = true});
  describe(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(CUDA_R_16BF));
  EXPECT_EQ(choose(), CUBLAS_STATUS_NOT_SUPPORTED);
  set_up({});
  describe(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_GELU);
  EXPECT_EQ(choose(), CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_F(CublasLt, PointersThatDoNotFitAreRefused) {
  const Problem problem = {.m = 36};
  for (int which = 0; which < 3; ++which) {
    set_up(problem);
    ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
    Matrix* const matrix = std::vector<Matrix*>{&a_, &b_, &c_}[static_cast<size_t>(which)];
    char* const data = std::exchange(matrix->data, matrix->data + 16);
    EXPECT_EQ(multiply(problem), CUBLAS_STATUS_INVALID_VALUE) << "not as aligned as promised";
    float host[2048];
    matrix->data = reinterpret_cast<char*>(host);
    EXPECT_EQ(multiply(problem), CUBLAS_STATUS_INVALID_VALUE) << "of the host";
    matrix->data = data;
  }
  // Less was promised, and there is room.
  set_up({.m = 36, .n = 28, .k = 52});
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t{16});
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  std::vector<float> roomy(36 * 52 + 4, 1);
  float* const block = make(roomy);
  char* const data = std::exchange(a_.data, reinterpret_cast<char*>(block + 4));
  EXPECT_EQ(multiply(problem), CUBLAS_STATUS_SUCCESS);
  a_.data = reinterpret_cast<char*>(block + 1);
  EXPECT_EQ(multiply(problem), CUBLAS_STATUS_INVALID_VALUE);
  a_.data = data;
}

TEST_F(CublasLt, AlgorithmsAreForTheirProblemAndNeedTheirWorkspace) {
  const Problem problem = {.k = 1000};
  set_up(problem);
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  EXPECT_GT(choice_.workspaceSize, 0U);
  EXPECT_EQ(multiply(problem, choice_.workspaceSize - 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(multiply(problem, choice_.workspaceSize), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(multiply(problem, workspace_bytes_ + 1), CUBLAS_STATUS_INVALID_VALUE);
  const cublasLtMatmulHeuristicResult_t chosen = choice_;
  set_up({.k = 999});
  choice_ = chosen;
  EXPECT_EQ(multiply({.k = 999}), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, IsQueued) {
  const Problem problem;
  set_up(problem);
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  cudaStream_t stream = make_stream();
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_EQ(cublasLtMatmul(handle_, description_, &problem.alpha, a_.data, a_.layout, b_.data,
                           b_.layout, &problem.beta, c_.data, c_.layout, c_.data, c_.layout,
                           &choice_.algo, workspace_, workspace_bytes_, stream),
            CUBLAS_STATUS_SUCCESS);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  const auto* const data = reinterpret_cast<float*>(c_.data);
  EXPECT_EQ(read(data, c_.values.size()), c_.values);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(exec, stream), cudaSuccess);
  EXPECT_NE(read(data, c_.values.size()), c_.values);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(CublasLt, CallsFailWhenATestAsksForIt) {
  set_up({});
  ata_emulator_fail_nth("cublasLtMatmulAlgoGetHeuristic", 1, 0);
  EXPECT_EQ(choose(), CUBLAS_STATUS_NOT_SUPPORTED);
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  ata_emulator_fail_nth("cublasLtMatmul", 2, CUBLAS_STATUS_ALLOC_FAILED);
  EXPECT_EQ(multiply({}), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(multiply({}), CUBLAS_STATUS_ALLOC_FAILED);
}

TEST_F(CublasLt, UnwrittenInputsAreFound) {
  if (!emu::checked()) GTEST_SKIP() << "accesses are not checked here";
  set_up({});
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  char* const data = std::exchange(b_.data, reinterpret_cast<char*>(make<float>(53 * 29)));
  EXPECT_EQ(multiply({}), CUBLAS_STATUS_SUCCESS);
  EXPECT_NE(defect().find("reads elements of B that nobody wrote"), std::string::npos);
  b_.data = data;
}

}  // namespace
}  // namespace emu_test
