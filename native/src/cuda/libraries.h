#ifndef ATA_CUDA_LIBRARIES_H_
#define ATA_CUDA_LIBRARIES_H_

#include <cublasLt.h>

#include <string>
#include <vector>

namespace ata::cuda {

/// The functions of cuBLASLt that products need. The library is opened when it is first needed, by
/// its major version, so that the plugin loads where it is missing.
struct BlasLt {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtGetStatusString) get_status_string;
  decltype(&cublasLtMatmulDescCreate) matmul_desc_create;
  decltype(&cublasLtMatmulDescDestroy) matmul_desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) matmul_desc_set_attribute;
  decltype(&cublasLtMatrixLayoutCreate) matrix_layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) matrix_layout_destroy;
  decltype(&cublasLtMatrixLayoutSetAttribute) matrix_layout_set_attribute;
  decltype(&cublasLtMatmulPreferenceCreate) matmul_preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) matmul_preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) matmul_preference_set_attribute;
  decltype(&cublasLtMatmulAlgoGetHeuristic) matmul_algo_get_heuristic;
  decltype(&cublasLtMatmul) matmul;
};

/// Throws ATA_LIBRARY_UNAVAILABLE, naming the file, why it cannot be used and the package to
/// install, where it cannot. Thread-safe.
const BlasLt& blas_lt();

/// A library that the plugin opens, as far as it is there.
struct LibraryState {
  /// "cuBLASLt 13.1.0".
  std::string version;
  /// Why it cannot be used; empty if it can.
  std::string problem;
};
/// All that the plugin needs. Thread-safe.
std::vector<LibraryState> library_states();

}  // namespace ata::cuda

#endif  // ATA_CUDA_LIBRARIES_H_
