// Stands in for cuBLASLt: products of f32 and bf16, with the checks that the library makes and some
// that it leaves to its users.
#include <cublasLt.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cudart.h"
#include "defects.h"
#include "memory.h"
#include "options.h"
#include "product.h"

namespace emu {
namespace {

constexpr size_t kVersion = 130000;
constexpr uint32_t kUsualAlignment = 256;  // promised by who promises nothing
// Workspace that an emulated algorithm takes, where it may have so much and the sums are long.
constexpr size_t kWorkspace = size_t{1} << 20;
constexpr int64_t kLongSum = 512;

struct Description {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  cublasOperation_t a = CUBLAS_OP_N;
  cublasOperation_t b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  int32_t bias_type = -1;  // as the result
};
static_assert(sizeof(Description) <= sizeof(cublasLtMatmulDescOpaque_t));

struct Layout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t leading;
  int64_t stride = 0;
  int32_t batch = 1;
};
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));

struct Preference {
  uint64_t workspace = 0;
  uint32_t alignment[4] = {kUsualAlignment, kUsualAlignment, kUsualAlignment, kUsualAlignment};
};
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));

// What an algorithm was chosen for.
struct Algorithm {
  uint64_t problem;  // 0: none
  uint64_t workspace;
  uint32_t alignment[4];
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

struct Shape {
  int64_t m, n, k;
};

template <class T, class Opaque>
T& from_opaque(Opaque* opaque) {
  static_assert(std::is_trivially_copyable_v<T>);
  return *reinterpret_cast<T*>(opaque);
}

size_t size_of(cudaDataType_t type) {
  return type == CUDA_R_32F ? 4 : 2;
}

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15U + (hash << 6) + (hash >> 2);
  return hash;
}

uint64_t mix(uint64_t hash, const Layout& x) {
  for (const uint64_t value :
       {static_cast<uint64_t>(x.type), x.rows, x.columns, static_cast<uint64_t>(x.leading),
        static_cast<uint64_t>(x.stride), static_cast<uint64_t>(x.batch)}) {
    hash = mix(hash, value);
  }
  return hash;
}

uint64_t name_of_problem(const Description& d, const Layout& a, const Layout& b, const Layout& c,
                         const Layout& result) {
  uint64_t hash = 1;
  for (const uint64_t value : {static_cast<uint64_t>(d.compute), static_cast<uint64_t>(d.a),
                               static_cast<uint64_t>(d.b), static_cast<uint64_t>(d.epilogue)}) {
    hash = mix(hash, value);
  }
  for (const Layout* layout : {&a, &b, &c, &result}) hash = mix(hash, *layout);
  return hash | 1;
}

Shape shape_of(const Description& d, const Layout& a, const Layout& result) {
  return {static_cast<int64_t>(result.rows), static_cast<int64_t>(result.columns),
          static_cast<int64_t>(d.a == CUBLAS_OP_N ? a.columns : a.rows)};
}

bool is_valid(const Layout& x) {
  return x.rows > 0 && x.columns > 0 && x.leading >= static_cast<int64_t>(x.rows) && x.batch > 0;
}

// Whether batches of a result overlap.
bool overlaps(const Layout& x) {
  return x.batch > 1 &&
         x.stride < x.leading * static_cast<int64_t>(x.columns - 1) + static_cast<int64_t>(x.rows);
}

cublasStatus_t check_problem(const Description& d, const Layout& a, const Layout& b,
                             const Layout& c, const Layout& result) {
  if (d.compute != CUBLAS_COMPUTE_32F || d.scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (a.type != b.type || (a.type != CUDA_R_32F && a.type != CUDA_R_16BF) ||
      c.type != result.type || (result.type != CUDA_R_32F && result.type != a.type)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (d.epilogue != CUBLASLT_EPILOGUE_DEFAULT && d.epilogue != CUBLASLT_EPILOGUE_BIAS) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (d.epilogue == CUBLASLT_EPILOGUE_BIAS && d.bias_type >= 0 && d.bias_type != result.type) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  for (const Layout* x : {&a, &b, &c, &result}) {
    if (!is_valid(*x) || x->batch != result.batch) return CUBLAS_STATUS_INVALID_VALUE;
  }
  const Shape shape = shape_of(d, a, result);
  const uint64_t m = d.a == CUBLAS_OP_N ? a.rows : a.columns;
  const uint64_t k = d.b == CUBLAS_OP_N ? b.rows : b.columns;
  const uint64_t n = d.b == CUBLAS_OP_N ? b.columns : b.rows;
  if (m != result.rows || n != result.columns || static_cast<int64_t>(k) != shape.k ||
      c.rows != result.rows || c.columns != result.columns || overlaps(result)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  return CUBLAS_STATUS_SUCCESS;
}

// Whether all of a matrix lies in one allocation of the GPU.
bool is_inside(const void* data, const Layout& x) {
  const DeviceBlock block = block_at(data);
  if (block.base == nullptr) return false;
  const int64_t last = static_cast<int64_t>(x.rows) - 1 +
                       static_cast<int64_t>(x.columns - 1) * x.leading + (x.batch - 1) * x.stride;
  const size_t end = (static_cast<size_t>(last) + 1) * size_of(x.type);
  return end <= block.size - static_cast<size_t>(static_cast<const char*>(data) - block.base);
}

template <class Visit>
void for_columns(const void* data, const Layout& x, Visit visit) {
  const size_t size = size_of(x.type);
  for (int32_t i = 0; i < x.batch; ++i) {
    for (uint64_t column = 0; column < x.columns; ++column) {
      const int64_t first = i * x.stride + static_cast<int64_t>(column) * x.leading;
      visit(static_cast<const char*>(data) + first * static_cast<int64_t>(size), x.rows * size);
    }
  }
}

void check_written(const void* data, const Layout& x, const char* name) {
  if (!checked()) return;
  for_columns(data, x, [name](const char* column, size_t bytes) {
    const ByteState* const states = device_states(column);
    if (std::find(states, states + bytes, ByteState::kUnwritten) == states + bytes) return;
    report_defect(std::string("cublasLtMatmul reads elements of ") + name + " that nobody wrote");
  });
}

void set_written(const void* data, const Layout& x) {
  if (!checked()) return;
  for_columns(data, x, [](const char* column, size_t bytes) {
    std::memset(device_states(column), static_cast<int>(ByteState::kWritten), bytes);
  });
}

float load(const void* data, cudaDataType_t type, int64_t at) {
  return type == CUDA_R_32F ? static_cast<const float*>(data)[at]
                            : widen_bf16(static_cast<const uint16_t*>(data)[at]);
}

void store(void* data, cudaDataType_t type, int64_t at, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[at] = value;
  } else {
    static_cast<uint16_t*>(data)[at] = narrow_bf16(value);
  }
}

struct Call {
  Description description;
  Layout a, b, c, result;
  const void* a_data;
  const void* b_data;
  const void* c_data;
  void* result_data;
  float alpha, beta;
  void* workspace;
  size_t workspace_bytes;
};

const void* offset(const void* data, const Layout& x, int64_t batch) {
  return static_cast<const char*>(data) + batch * x.stride * static_cast<int64_t>(size_of(x.type));
}

void run(const Call& call) {
  if (has_defect()) return;
  const Description& d = call.description;
  const bool bias = d.epilogue == CUBLASLT_EPILOGUE_BIAS;
  for (const void* data :
       {call.a_data, call.b_data, call.c_data, static_cast<const void*>(call.result_data),
        bias ? d.bias : call.a_data}) {
    if (block_at(data).base != nullptr) continue;
    report_defect("cublasLtMatmul works on memory that was freed before its turn");
    return;
  }
  const DeviceAccess access;
  check_written(call.a_data, call.a, "A");
  check_written(call.b_data, call.b, "B");
  if (call.beta != 0) check_written(call.c_data, call.c, "C");
  const Layout bias_layout = {call.result.type, call.result.rows, 1,
                              static_cast<int64_t>(call.result.rows)};
  if (bias) check_written(d.bias, bias_layout, "the bias");
  if (call.workspace_bytes > 0) {  // an algorithm leaves it as it likes
    std::memset(call.workspace, 0xff, call.workspace_bytes);
  }
  const Shape shape = shape_of(d, call.a, call.result);
  for (int64_t i = 0; i < call.result.batch; ++i) {
    const std::vector<float> product =
        multiply({offset(call.a_data, call.a, i), call.a.type == CUDA_R_16BF, d.a != CUBLAS_OP_N,
                  call.a.leading},
                 {offset(call.b_data, call.b, i), call.b.type == CUDA_R_16BF, d.b != CUBLAS_OP_N,
                  call.b.leading},
                 shape.m, shape.n, shape.k);
    for (int64_t column = 0; column < shape.n; ++column) {
      for (int64_t row = 0; row < shape.m; ++row) {
        float value = call.alpha * product[static_cast<size_t>(column * shape.m + row)];
        if (call.beta != 0) {
          value += call.beta * load(call.c_data, call.c.type,
                                    i * call.c.stride + column * call.c.leading + row);
        }
        if (bias) value += load(d.bias, call.result.type, row);
        store(call.result_data, call.result.type,
              i * call.result.stride + column * call.result.leading + row, value);
      }
    }
  }
  set_written(call.result_data, call.result);
}

bool is_aligned(const void* data, uint64_t alignment) {
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

// Whether pointers and workspace are what the algorithm was chosen for.
bool fits(const Call& call, const Algorithm& algorithm) {
  const void* const data[] = {call.a_data, call.b_data, call.c_data, call.result_data};
  const Layout* const layouts[] = {&call.a, &call.b, &call.c, &call.result};
  for (int i = 0; i < 4; ++i) {
    if (!is_aligned(data[i], algorithm.alignment[i]) || !is_inside(data[i], *layouts[i])) {
      return false;
    }
  }
  if (call.description.epilogue == CUBLASLT_EPILOGUE_BIAS) {
    const Layout bias = {call.result.type, call.result.rows, 1,
                         static_cast<int64_t>(call.result.rows)};
    if (!is_inside(call.description.bias, bias) ||
        !is_aligned(call.description.bias, size_of(call.result.type))) {
      return false;
    }
  }
  if (call.workspace_bytes < algorithm.workspace) return false;
  if (call.workspace_bytes == 0) return true;
  const DeviceBlock block = block_at(call.workspace);
  return block.base != nullptr && is_aligned(call.workspace, 16) &&
         call.workspace_bytes <=
             block.size - static_cast<size_t>(static_cast<char*>(call.workspace) - block.base);
}

template <class T>
cublasStatus_t assign(T& to, const void* value, size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, value, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace emu

#define EMU_BLAS(usual)                                                \
  const std::lock_guard emu_lock(emu::emulator_mutex());               \
  if (const int emu_injected = emu::injected_failure(__func__, usual)) \
  return static_cast<cublasStatus_t>(emu_injected)

struct cublasLtContext {};

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  EMU_BLAS(CUBLAS_STATUS_NOT_INITIALIZED);
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  EMU_BLAS(CUBLAS_STATUS_NOT_INITIALIZED);
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion() {
  return emu::kVersion;
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "an unknown status of cuBLAS";
  }
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t compute, cudaDataType_t scale) {
  EMU_BLAS(CUBLAS_STATUS_ALLOC_FAILED);
  *description = new cublasLtMatmulDescOpaque_t{};
  new (*description) emu::Description{.compute = compute, .scale = scale};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete description;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  EMU_BLAS(CUBLAS_STATUS_INVALID_VALUE);
  auto& d = emu::from_opaque<emu::Description>(description);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return emu::assign(d.a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return emu::assign(d.b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return emu::assign(d.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return emu::assign(d.bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return emu::assign(d.bias_type, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;  // not emulated
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t leading) {
  EMU_BLAS(CUBLAS_STATUS_ALLOC_FAILED);
  *layout = new cublasLtMatrixLayoutOpaque_t{};
  new (*layout) emu::Layout{type, rows, columns, leading};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t bytes) {
  EMU_BLAS(CUBLAS_STATUS_INVALID_VALUE);
  auto& x = emu::from_opaque<emu::Layout>(layout);
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return emu::assign(x.leading, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return emu::assign(x.batch, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return emu::assign(x.stride, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  EMU_BLAS(CUBLAS_STATUS_ALLOC_FAILED);
  *preference = new cublasLtMatmulPreferenceOpaque_t{};
  new (*preference) emu::Preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  EMU_BLAS(CUBLAS_STATUS_INVALID_VALUE);
  auto& p = emu::from_opaque<emu::Preference>(preference);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return emu::assign(p.workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return emu::assign(p.alignment[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return emu::assign(p.alignment[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return emu::assign(p.alignment[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return emu::assign(p.alignment[3], value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t result,
    cublasLtMatmulPreference_t preference, int requested, cublasLtMatmulHeuristicResult_t results[],
    int* found) {
  EMU_BLAS(CUBLAS_STATUS_NOT_SUPPORTED);
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  *found = 0;
  if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const auto& d = emu::from_opaque<emu::Description>(description);
  const auto &la = emu::from_opaque<emu::Layout>(a), &lb = emu::from_opaque<emu::Layout>(b),
             &lc = emu::from_opaque<emu::Layout>(c), &lr = emu::from_opaque<emu::Layout>(result);
  const auto& p = emu::from_opaque<emu::Preference>(preference);
  const cublasStatus_t status = emu::check_problem(d, la, lb, lc, lr);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  for (int i = 0; i < 4; ++i) {
    const size_t least = emu::size_of(i < 2 ? la.type : lr.type);
    if (p.alignment[i] < least || (p.alignment[i] & (p.alignment[i] - 1)) != 0) {
      return CUBLAS_STATUS_NOT_SUPPORTED;
    }
  }
  results[0] = {};
  auto& algorithm = emu::from_opaque<emu::Algorithm>(&results[0].algo);
  algorithm.problem = emu::name_of_problem(d, la, lb, lc, lr);
  const bool splits = emu::shape_of(d, la, lr).k >= emu::kLongSum && p.workspace >= emu::kWorkspace;
  results[0].workspaceSize = algorithm.workspace = splits ? emu::kWorkspace : 0;
  std::copy_n(p.alignment, 4, algorithm.alignment);
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].wavesCount = 1;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                              const void* alpha, const void* a_data, cublasLtMatrixLayout_t a,
                              const void* b_data, cublasLtMatrixLayout_t b, const void* beta,
                              const void* c_data, cublasLtMatrixLayout_t c, void* result_data,
                              cublasLtMatrixLayout_t result, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  EMU_BLAS(CUBLAS_STATUS_EXECUTION_FAILED);
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (emu::has_defect()) return CUBLAS_STATUS_EXECUTION_FAILED;
  const emu::Call call = {emu::from_opaque<emu::Description>(description),
                          emu::from_opaque<emu::Layout>(a),
                          emu::from_opaque<emu::Layout>(b),
                          emu::from_opaque<emu::Layout>(c),
                          emu::from_opaque<emu::Layout>(result),
                          a_data,
                          b_data,
                          c_data,
                          result_data,
                          *static_cast<const float*>(alpha),
                          *static_cast<const float*>(beta),
                          workspace,
                          workspace_bytes};
  const cublasStatus_t status =
      emu::check_problem(call.description, call.a, call.b, call.c, call.result);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // Without an algorithm the library asks for one as if nothing were promised but the usual.
  emu::Algorithm algorithm = {};
  std::fill_n(algorithm.alignment, 4, emu::kUsualAlignment);
  const uint64_t problem =
      emu::name_of_problem(call.description, call.a, call.b, call.c, call.result);
  if (algo != nullptr) {
    std::memcpy(&algorithm, algo, sizeof algorithm);
    if (algorithm.problem != problem) return CUBLAS_STATUS_INVALID_VALUE;  // another one's
  }
  if (!emu::fits(call, algorithm)) return CUBLAS_STATUS_INVALID_VALUE;
  // In place or apart: C may be the result, and nothing else may overlap it.
  if (c_data == result_data && std::memcmp(&call.c, &call.result, sizeof call.c) != 0) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (emu::check_stream(stream) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (emu::options().idle) return CUBLAS_STATUS_SUCCESS;
  emu::submit(stream, [call] { emu::run(call); });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
