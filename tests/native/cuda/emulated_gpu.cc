#include "emulated_gpu.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace emulated_gpu {
namespace {

constexpr char kPlugin[] = "ATA_CUDA_PLUGIN";
// Set: as if the plugin were a real GPU's. So it is tried that the list of tests for which that is
// not enough is whole.
constexpr char kAsReal[] = "ATA_TEST_AS_REAL_GPU";
constexpr unsigned kNonBlocking = 1;   // cudaStreamNonBlocking
constexpr unsigned kAttachGlobal = 1;  // cudaMemAttachGlobal
constexpr int kDefault = 4;            // cudaMemcpyDefault

// A function of the runtime; its error as a number.
template <typename... Arguments>
int call(const char* name, Arguments... arguments) {
  using Function = int(Arguments...);
  void* const found = ON_EMULATOR(ata_emulator_function)(name);
  if (found == nullptr) {
    ADD_FAILURE() << "the emulated plugin does not show " << name;
    return -1;
  }
  return reinterpret_cast<Function*>(found)(arguments...);
}

// One whose failure fails the test.
template <typename... Arguments>
void succeed(const char* name, Arguments... arguments) {
  EXPECT_EQ(call(name, arguments...), 0) << name;
}

}  // namespace

void use() {
  setenv(kPlugin, ATA_EMULATED_PLUGIN, /*overwrite=*/0);
  setenv("ATA_CUDA_EMULATOR", "devices=2", /*overwrite=*/0);
}

void* symbol(const char* name) {
  use();
  void* const library = dlopen(std::getenv(kPlugin), RTLD_NOW | RTLD_LOCAL);
  void* const found =
      library != nullptr && std::getenv(kAsReal) == nullptr ? dlsym(library, name) : nullptr;
  if (found == nullptr) {
    // Nothing could be called in its place, so that the test ends here.
    throw std::runtime_error(std::string("this test needs an emulated GPU, whose controls '") +
                             std::getenv(kPlugin) + "' does not have");
  }
  return found;
}

void* allocate(size_t bytes, int device) {
  void* memory = nullptr;
  succeed("cudaSetDevice", device);
  succeed("cudaMalloc", &memory, bytes);
  succeed("cudaSetDevice", 0);
  return memory;
}

void* allocate_managed(size_t bytes) {
  void* memory = nullptr;
  succeed("cudaMallocManaged", &memory, bytes, kAttachGlobal);
  return memory;
}

void release(void* memory) {
  succeed("cudaFree", memory);
}

void copy(void* to, const void* from, size_t bytes, void* stream) {
  succeed("cudaMemcpyAsync", to, from, bytes, kDefault, stream);
}

Stream::Stream(int device) {
  succeed("cudaSetDevice", device);
  succeed("cudaStreamCreateWithFlags", &stream_, kNonBlocking);
  succeed("cudaSetDevice", 0);
}

Stream::~Stream() {
  succeed("cudaStreamDestroy", stream_);
}

bool Stream::is_idle() const {
  return call("cudaStreamQuery", stream_) == 0;
}

void Stream::synchronize() const {
  succeed("cudaStreamSynchronize", stream_);
}

}  // namespace emulated_gpu
