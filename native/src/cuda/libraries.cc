#include "cuda/libraries.h"

#include "base/error.h"

#if defined(_WIN32)
#include <windows.h>

#include <system_error>
#else
#include <dlfcn.h>
#endif

namespace ata::cuda {
namespace {

#if defined(_WIN32)
constexpr char kBlasFile[] = "cublasLt64_13.dll";
constexpr char kBlasPackage[] = "the CUDA toolkit 13, whose bin folder must be on the PATH";

void* open_library(const char* name, std::string& error) {
  HMODULE module = LoadLibraryExA(name, nullptr, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
  if (!module) error = std::system_category().message(static_cast<int>(GetLastError()));
  return module;
}
void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
#else
constexpr char kBlasFile[] = "libcublasLt.so.13";
constexpr char kBlasPackage[] =
    "NVIDIA's cuBLAS 13 (package libcublas-13-0 or newer, or the CUDA toolkit 13), where the "
    "loader finds it (ldconfig or LD_LIBRARY_PATH)";

void* open_library(const char* name, std::string& error) {
  void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* text = dlerror();
    error = text ? text : "unknown reason";
    // The loader may begin with the name, which the message has.
    const std::string named = concat(name, ": ");
    if (error.starts_with(named)) error.erase(0, named.size());
  }
  return library;
}
void* find_symbol(void* library, const char* name) {
  return dlsym(library, name);
}
#endif

// One library and what its functions are put into.
class Opener {
 public:
  Opener(const char* file, const char* package) : file_(file), package_(package) {
    library_ = open_library(file, error_);
  }

  template <typename Function>
  void find(Function& function, const char* name) {
    if (!library_) return;
    function = reinterpret_cast<Function>(find_symbol(library_, name));
    if (!function && error_.empty()) error_ = concat("it has no ", name, "()");
  }

  /// Empty if all is there.
  std::string problem() const {
    if (error_.empty()) return {};
    return concat(file_, " cannot be used: ", error_, "; install ", package_);
  }

 private:
  const char* file_;
  const char* package_;
  void* library_ = nullptr;
  std::string error_;
};

struct LoadedBlas {
  BlasLt functions = {};
  std::string problem;
};

LoadedBlas load_blas() {
  LoadedBlas loaded;
  BlasLt& f = loaded.functions;
  Opener library(kBlasFile, kBlasPackage);
  library.find(f.create, "cublasLtCreate");
  library.find(f.destroy, "cublasLtDestroy");
  library.find(f.get_version, "cublasLtGetVersion");
  library.find(f.get_status_string, "cublasLtGetStatusString");
  library.find(f.matmul_desc_create, "cublasLtMatmulDescCreate");
  library.find(f.matmul_desc_destroy, "cublasLtMatmulDescDestroy");
  library.find(f.matmul_desc_set_attribute, "cublasLtMatmulDescSetAttribute");
  library.find(f.matrix_layout_create, "cublasLtMatrixLayoutCreate");
  library.find(f.matrix_layout_destroy, "cublasLtMatrixLayoutDestroy");
  library.find(f.matrix_layout_set_attribute, "cublasLtMatrixLayoutSetAttribute");
  library.find(f.matmul_preference_create, "cublasLtMatmulPreferenceCreate");
  library.find(f.matmul_preference_destroy, "cublasLtMatmulPreferenceDestroy");
  library.find(f.matmul_preference_set_attribute, "cublasLtMatmulPreferenceSetAttribute");
  library.find(f.matmul_algo_get_heuristic, "cublasLtMatmulAlgoGetHeuristic");
  library.find(f.matmul, "cublasLtMatmul");
  loaded.problem = library.problem();
  return loaded;
}

const LoadedBlas& loaded_blas() {
  static const LoadedBlas& loaded = *new LoadedBlas(load_blas());
  return loaded;
}

}  // namespace

const BlasLt& blas_lt() {
  const LoadedBlas& loaded = loaded_blas();
  if (!loaded.problem.empty()) fail(ATA_LIBRARY_UNAVAILABLE, loaded.problem);
  return loaded.functions;
}

std::vector<LibraryState> library_states() {
  LibraryState blas;
  blas.problem = loaded_blas().problem;
  if (blas.problem.empty()) {
    const size_t version = blas_lt().get_version();
    blas.version =
        concat("cuBLASLt ", version / 10000, ".", version / 100 % 100, ".", version % 100);
  }
  return {blas};
}

}  // namespace ata::cuda
