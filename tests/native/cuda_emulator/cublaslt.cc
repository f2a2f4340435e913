// Stands in for cuBLASLt in tests.
#include <cublasLt.h>

#include <cstring>
#include <vector>

#include "cuda/libraries.h"
#include "emulator.h"

namespace {
struct Desc { cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N; const void* bias = nullptr; cudaDataType_t bias_type = CUDA_R_32F; int epilogue = 1; };
struct Matrix { cudaDataType_t type; int64_t rows, columns, ld; int batch = 1; int64_t stride = 0; };
float read(const void* p, cudaDataType_t type, int64_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(p)[i];
  const uint32_t bits = uint32_t(static_cast<const uint16_t*>(p)[i]) << 16;
  float f; std::memcpy(&f, &bits, 4); return f;
}
void write(void* p, cudaDataType_t type, int64_t i, float f) {
  if (type == CUDA_R_32F) { static_cast<float*>(p)[i] = f; return; }
  uint32_t u; std::memcpy(&u, &f, 4); static_cast<uint16_t*>(p)[i] = uint16_t((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
cublasStatus_t create(cublasLtHandle_t* h) { *h = reinterpret_cast<cublasLtHandle_t>(8); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t destroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
size_t version() { return 130100; }
const char* text(cublasStatus_t) { return "emulated"; }
cublasStatus_t dc(cublasLtMatmulDesc_t* d, cublasComputeType_t, cudaDataType_t) { *d = reinterpret_cast<cublasLtMatmulDesc_t>(new Desc); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t dd(cublasLtMatmulDesc_t d) { delete reinterpret_cast<Desc*>(d); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t ds(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a, const void* v, size_t n) {
  Desc& x = *reinterpret_cast<Desc*>(d);
  if (a == CUBLASLT_MATMUL_DESC_TRANSA) std::memcpy(&x.a, v, n);
  if (a == CUBLASLT_MATMUL_DESC_TRANSB) std::memcpy(&x.b, v, n);
  if (a == CUBLASLT_MATMUL_DESC_BIAS_POINTER) std::memcpy(&x.bias, v, n);
  if (a == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE) std::memcpy(&x.bias_type, v, n);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t lc(cublasLtMatrixLayout_t* l, cudaDataType_t t, uint64_t r, uint64_t c, int64_t ld) { *l = reinterpret_cast<cublasLtMatrixLayout_t>(new Matrix{t, int64_t(r), int64_t(c), ld}); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t ld_(cublasLtMatrixLayout_t l) { delete reinterpret_cast<Matrix*>(l); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t ls(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t a, const void* v, size_t n) {
  Matrix& m = *reinterpret_cast<Matrix*>(l);
  if (a == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) std::memcpy(&m.batch, v, n);
  if (a == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) std::memcpy(&m.stride, v, n);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t pc(cublasLtMatmulPreference_t* p) { *p = reinterpret_cast<cublasLtMatmulPreference_t>(8); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t pd(cublasLtMatmulPreference_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t ps(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void*, size_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t heur(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t*, int* n) { *n = 1; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t mm(cublasLtHandle_t, cublasLtMatmulDesc_t d, const void*, const void* A, cublasLtMatrixLayout_t la, const void* B, cublasLtMatrixLayout_t lb, const void* beta, const void*, cublasLtMatrixLayout_t, void* D, cublasLtMatrixLayout_t lc_, const cublasLtMatmulAlgo_t*, void*, size_t, cudaStream_t stream) {
  const Desc x = *reinterpret_cast<Desc*>(d); const Matrix a = *reinterpret_cast<Matrix*>(la), b = *reinterpret_cast<Matrix*>(lb), c = *reinterpret_cast<Matrix*>(lc_);
  const float be = *static_cast<const float*>(beta);
  emu::host_work(stream, [=] {
    const int64_t m = c.rows, n = c.columns, k = x.a == CUBLAS_OP_N ? a.columns : a.rows;
    std::vector<float> fa(m * k), fb(n * k);
    for (int i = 0; i < c.batch; ++i) {
      for (int64_t r = 0; r < m; ++r) for (int64_t q = 0; q < k; ++q) fa[r * k + q] = read(A, a.type, i * a.stride + (x.a == CUBLAS_OP_N ? r + q * a.ld : q + r * a.ld));
      for (int64_t r = 0; r < n; ++r) for (int64_t q = 0; q < k; ++q) fb[r * k + q] = read(B, b.type, i * b.stride + (x.b == CUBLAS_OP_N ? q + r * b.ld : r + q * b.ld));
      for (int64_t r = 0; r < m; ++r) for (int64_t s = 0; s < n; ++s) {
        float sums[16] = {}; int64_t q = 0;
        for (; q + 16 <= k; q += 16) for (int l = 0; l < 16; ++l) sums[l] += fa[r * k + q + l] * fb[s * k + q + l];
        float sum = 0; for (float f : sums) sum += f;
        for (; q < k; ++q) sum += fa[r * k + q] * fb[s * k + q];
        if (x.bias) sum += read(x.bias, x.bias_type, r);
        const int64_t at = i * c.stride + r + s * c.ld;
        if (be != 0) sum += be * read(D, c.type, at);
        write(D, c.type, at, sum);
      }
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}
}  // namespace
namespace ata::cuda {
const BlasLt& blas_lt() {
  static const BlasLt lt = {create, destroy, version, text, dc, dd, ds, lc, ld_, ls, pc, pd, ps, heur, mm};
  return lt;
}
std::vector<LibraryState> library_states() { return {{"cuBLASLt (emulated)", ""}}; }
}  // namespace ata::cuda
