// In the place of cuda/libraries.cc: the stand-ins, which are linked, for the libraries that the
// plugin opens.
#include "base/error.h"
#include "cuda/libraries.h"

namespace ata::cuda {

const BlasLt& blas_lt() {
  static const BlasLt functions = {
      .create = cublasLtCreate,
      .destroy = cublasLtDestroy,
      .get_version = cublasLtGetVersion,
      .get_status_string = cublasLtGetStatusString,
      .matmul_desc_create = cublasLtMatmulDescCreate,
      .matmul_desc_destroy = cublasLtMatmulDescDestroy,
      .matmul_desc_set_attribute = cublasLtMatmulDescSetAttribute,
      .matrix_layout_create = cublasLtMatrixLayoutCreate,
      .matrix_layout_destroy = cublasLtMatrixLayoutDestroy,
      .matrix_layout_set_attribute = cublasLtMatrixLayoutSetAttribute,
      .matmul_preference_create = cublasLtMatmulPreferenceCreate,
      .matmul_preference_destroy = cublasLtMatmulPreferenceDestroy,
      .matmul_preference_set_attribute = cublasLtMatmulPreferenceSetAttribute,
      .matmul_algo_get_heuristic = cublasLtMatmulAlgoGetHeuristic,
      .matmul = cublasLtMatmul,
  };
  return functions;
}

std::vector<LibraryState> library_states() {
  const size_t version = cublasLtGetVersion();
  return {{concat("cuBLASLt ", version / 10000, ".", version / 100 % 100, ".", version % 100,
                  " (emulated)"),
           ""}};
}

}  // namespace ata::cuda
