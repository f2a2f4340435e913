#ifndef ATA_CUDA_EMULATOR_STREAMS_H_
#define ATA_CUDA_EMULATOR_STREAMS_H_

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

/// Queued work: streams, events between them, and graphs. Nothing runs in the background: whoever
/// waits for a stream runs what it waits for, or, where work is not deferred, who queues it.
namespace emu {

/// Every call of the stand-ins holds it, and so does work while it runs.
std::recursive_mutex& emulator_mutex();

struct Graph {
  std::vector<std::function<void()>> nodes;
};

/// Streams whose calls are recorded instead of run.
struct Capture {
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  cudaStream_t origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  bool invalid = false;
  bool ended = false;
  /// Of each stream that takes part: nodes recorded, and how many of them another one waits for.
  struct Branch {
    uint64_t nodes = 0;
    uint64_t joined = 0;
  };
  std::map<cudaStream_t, Branch> branches;
};

/// A point in a stream's work.
struct Ticket {
  uint64_t stream = 0;  // 0: none, which is passed already
  uint64_t position = 0;
};

}  // namespace emu

struct CUstream_st {
  struct Work {
    std::function<void()> run;
    emu::Ticket wait;  // for what, before it runs
  };
  uint64_t id = 0;
  bool blocking = true;  // with regard to the null stream
  int device = 0;
  std::deque<Work> work;
  uint64_t queued = 0;
  uint64_t done = 0;
  bool running = false;
  std::shared_ptr<emu::Capture> capture;
};

struct CUevent_st {
  bool timing = true;
  emu::Ticket recorded;
  std::chrono::steady_clock::time_point time;
  // Where it was recorded into a graph.
  std::shared_ptr<emu::Capture> capture;
  cudaStream_t captured_stream = nullptr;
  uint64_t captured_nodes = 0;
};

namespace emu {

cudaStream_t create_stream(bool blocking, int device);
void destroy_stream(cudaStream_t stream);
/// Null stands for the default stream. A null result: no such stream.
cudaStream_t find_stream(cudaStream_t stream);

/// Queues work, or records it where the stream is captured.
void submit(cudaStream_t stream, std::function<void()> run);
void submit_wait(cudaStream_t stream, Ticket ticket);
/// The end of what is queued now.
Ticket end_of(cudaStream_t stream);
bool is_passed(Ticket ticket);
void run_until(Ticket ticket);
void run_all();

/// Whether a wait or an allocation by this thread would break a capture, which it invalidates then.
bool breaks_capture();
/// How a thread's calls take part in others' captures.
cudaStreamCaptureMode& thread_capture_mode();
std::vector<std::weak_ptr<Capture>>& captures();

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_STREAMS_H_
