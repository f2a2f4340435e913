#ifndef ATA_CUDA_STREAM_STATE_H_
#define ATA_CUDA_STREAM_STATE_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/launch.h"
#include "tensor/tensor.h"

namespace ata::cuda {

class StreamState;

/// The streams of a GPU whose work may use any of its tensors. Thread-safe.
class StreamList {
 public:
  void add(StreamState* stream);
  void remove(StreamState* stream);
  /// Makes `later` wait for what is queued on all of them now; `event` is for this function's use.
  void hold_back(cudaStream_t later, cudaEvent_t event);

 private:
  std::mutex mutex_;
  std::vector<StreamState*> streams_;
};

/// What stands behind a Stream: the CUDA stream, and pinned memory through which values pass
/// between host and device. One thread at a time; the GPU is the current one.
class StreamState {
 public:
  StreamState(StreamList& list, const Properties& properties, std::shared_ptr<Allocator> memory);
  ~StreamState();
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  cudaStream_t handle() const { return handle_; }
  const Properties& properties() const { return properties_; }

  /// Scratch memory for products, of kBlasWorkspace bytes.
  void* blas_workspace();
  static constexpr size_t kBlasWorkspace = size_t{32} << 20;

  /// Returns when `host` may be changed; does not wait for the work that was queued before, unless
  /// it fills the pinned memory.
  void upload(void* to, const void* host, size_t bytes);
  /// Waits for all that was queued.
  void download(void* host, const void* from, size_t bytes);

 private:
  // Pinned memory in two halves: one is filled while the other may be on its way.
  struct Half {
    char* data = nullptr;
    size_t used = 0;
    cudaEvent_t sent = nullptr;
  };
  static constexpr size_t kHalf = size_t{2} << 20;

  void make_staging();
  // Room for some of `bytes`, and at least one.
  char* stage(size_t bytes, size_t* room);

  StreamList& list_;
  const Properties& properties_;
  const std::shared_ptr<Allocator> memory_;
  cudaStream_t handle_ = nullptr;
  Tensor blas_workspace_;
  Half halves_[2];
  int current_ = 0;
};

/// Of a stream of this plugin.
StreamState& state_of(const Stream& stream);

}  // namespace ata::cuda

#endif  // ATA_CUDA_STREAM_STATE_H_
