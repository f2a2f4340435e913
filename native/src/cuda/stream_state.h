#ifndef ATA_CUDA_STREAM_STATE_H_
#define ATA_CUDA_STREAM_STATE_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "cuda/launch.h"

namespace ata::cuda {

class StreamState;

/// Thrown out of work that is being recorded and cannot be.
struct CannotRecord {};

/// The streams of a GPU whose work may use any of its tensors. Thread-safe.
class StreamList {
 public:
  void add(StreamState* stream);
  void remove(StreamState* stream);
  /// Makes `later` wait for what is queued on all of them now; `event` is for this function's use.
  void hold_back(cudaStream_t later, cudaEvent_t event);
  std::mutex& mutex() { return mutex_; }

 private:
  std::mutex mutex_;
  std::vector<StreamState*> streams_;
};

/// What stands behind a Stream: the CUDA stream, and pinned memory through which values pass
/// between host and device. One thread at a time; the GPU is the current one.
class StreamState {
 public:
  /// `given`: the caller's stream; null: a new one.
  StreamState(StreamList& list, int ordinal, const Properties& properties, cudaStream_t given);
  ~StreamState();
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  cudaStream_t handle() const { return handle_; }
  const Properties& properties() const { return properties_; }
  int ordinal() const { return ordinal_; }

  /// What `work` queues, as a graph that can be launched; null where that cannot be, see
  /// Device::record().
  cudaGraphExec_t record(const std::function<void()>& work);
  void synchronize();
  /// Makes `later` wait for what is queued now; `event` is for this function's use. Any thread,
  /// with the list locked.
  void hold_back(cudaStream_t later, cudaEvent_t event) const;

  /// Scratch memory for products, of kBlasWorkspace bytes.
  void* blas_workspace();
  static constexpr size_t kBlasWorkspace = size_t{32} << 20;

  /// Returns when `host` may be changed; does not wait for the work that was queued before, unless
  /// it fills the pinned memory.
  void upload(void* to, const void* host, size_t bytes);
  /// Waits for all that was queued, once unless the pinned memory is too small for the values.
  void download(std::span<const CopyOut> copies);

 private:
  // Pinned memory in two halves: one is filled while the other may be on its way.
  struct Half {
    char* data = nullptr;
    size_t used = 0;
    cudaEvent_t sent = nullptr;
  };
  static constexpr size_t kHalf = size_t{2} << 20;

  // A part of a download in pinned memory.
  struct Arriving {
    char* host;
    const char* staged;
    size_t bytes;
  };

  void make_staging();
  // Waits, and hands the parts on.
  void finish_download(std::vector<Arriving>& parts);
  // Room for some of `bytes`, and at least one.
  char* stage(size_t bytes, size_t* room);

  // False where the stream is one that cannot be: a caller's, the default stream.
  bool begin_recording();
  // Whatever has been recorded is dropped where `keep` is false.
  cudaGraph_t end_recording(bool keep);

  StreamList& list_;
  const int ordinal_;
  const Properties& properties_;
  cudaStream_t handle_ = nullptr;
  bool owned_ = true;
  // While work is recorded the stream itself has none: this event is behind what it had.
  bool recording_ = false;
  cudaEvent_t before_recording_ = nullptr;
  void* blas_workspace_ = nullptr;
  Half halves_[2];
  int current_ = 0;
  // A download that failed may still write into the pinned memory.
  bool downloading_ = false;
};

/// Of a stream of this plugin.
StreamState& state_of(const Stream& stream);

}  // namespace ata::cuda

#endif  // ATA_CUDA_STREAM_STATE_H_
