#ifndef ATA_TESTS_CUDA_EMULATED_GPU_H_
#define ATA_TESTS_CUDA_EMULATED_GPU_H_

#include <cstddef>

#include "cuda_emulator/control.h"

/// The emulated GPU from the outside: what its plugin exports for tests, and the runtime's
/// functions as a program that uses the GPU itself would call them. Nothing here is of the
/// library's inside, beside which ata.hpp could not be included.
namespace emulated_gpu {

/// Has the plugin that ATA_CUDA_PLUGIN names, else the emulated one, taken for "cuda": two GPUs,
/// unless ATA_CUDA_EMULATOR says otherwise. To be called before anything asks for devices.
void use();

/// What the plugin exports by this name. Throws where it is that of a real GPU: tests/device/run.sh
/// leaves out by name the tests that need an emulated one.
void* symbol(const char* name);

/// ata_emulator_* of control.h.
#define ON_EMULATOR(function) \
  (*reinterpret_cast<decltype(&function)>(emulated_gpu::symbol(#function)))

/// Memory of a GPU; null where there is none.
void* allocate(size_t bytes, int device = 0);
void* allocate_managed(size_t bytes);
void release(void* memory);
/// Queues a copy in either direction.
void copy(void* to, const void* from, size_t bytes, void* stream);

/// A stream of a GPU, for work in no order with the default stream's.
class Stream {
 public:
  explicit Stream(int device = 0);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void* get() const { return stream_; }
  /// Whether all that was queued is done.
  bool is_idle() const;
  void synchronize() const;

 private:
  void* stream_ = nullptr;
};

}  // namespace emulated_gpu

#endif  // ATA_TESTS_CUDA_EMULATED_GPU_H_
