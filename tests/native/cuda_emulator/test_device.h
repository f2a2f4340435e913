#ifndef ATA_CUDA_EMULATOR_TEST_DEVICE_H_
#define ATA_CUDA_EMULATOR_TEST_DEVICE_H_

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control.h"
#include "options.h"

namespace emu_test {

/// A test on the emulated GPU as it is without options, which begins and ends without an error.
class EmulatedGpu : public ::testing::Test {
 protected:
  EmulatedGpu() { reset(); }
  ~EmulatedGpu() override {
    for (void* block : blocks_) cudaFree(block);
    EXPECT_STREQ(ata_emulator_take_defect(), "");
    reset();
  }

  template <class T>
  T* make(size_t count) {
    void* block = nullptr;
    EXPECT_EQ(cudaMalloc(&block, count * sizeof(T)), cudaSuccess);
    blocks_.push_back(block);
    return static_cast<T*>(block);
  }
  template <class T>
  T* make(const std::vector<T>& values) {
    T* const block = make<T>(values.size());
    EXPECT_EQ(cudaMemcpy(block, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
    return block;
  }
  template <class T>
  std::vector<T> read(const T* block, size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess) << cudaGetErrorString(cudaPeekAtLastError());
    EXPECT_EQ(cudaMemcpy(values.data(), block, count * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }
  void release(void* block) {
    std::erase(blocks_, block);
    EXPECT_EQ(cudaFree(block), cudaSuccess);
  }
  cudaStream_t make_stream() {
    cudaStream_t stream = nullptr;
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    return stream;
  }
  /// Waits for everything; the defect that was found, or "".
  static std::string defect() {
    cudaDeviceSynchronize();
    return ata_emulator_take_defect();
  }

 private:
  static void reset() {
    ata_emulator_take_defect();
    ata_emulator_fail_none();
    emu::options() = emu::Options{};
    cudaGetLastError();
  }
  std::vector<void*> blocks_;
};

}  // namespace emu_test

#endif  // ATA_CUDA_EMULATOR_TEST_DEVICE_H_
