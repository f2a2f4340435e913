#include "streams.h"

#include <algorithm>
#include <random>

#include "options.h"

namespace emu {
namespace {

struct Streams {
  std::map<uint64_t, cudaStream_t> by_id;
  uint64_t next_id = 1;
  cudaStream_t null_stream = nullptr;
  std::mt19937_64 random;
};

Streams& streams() {
  static Streams& streams = *new Streams{.by_id = {}, .random = std::mt19937_64(options().seed)};
  return streams;
}

void run_next(cudaStream_t stream) {
  stream->running = true;
  run_until(stream->work.front().wait);
  const CUstream_st::Work work = std::move(stream->work.front());
  stream->work.pop_front();
  if (work.run) work.run();
  ++stream->done;
  stream->running = false;
}

// With the random order, other streams go ahead of the one that is waited for: what only happened
// to run in the right order does not then.
void run_another() {
  Streams& all = streams();
  if (options().order != Order::kRandom || all.random() % 4 != 0) return;
  auto at =
      std::next(all.by_id.begin(), static_cast<std::ptrdiff_t>(all.random() % all.by_id.size()));
  const cudaStream_t stream = at->second;
  if (stream->running || stream->work.empty() || !is_passed(stream->work.front().wait)) return;
  run_next(stream);
}

// The default stream waits for the streams that are not independent of it.
void run_blocking() {
  for (const auto& [id, stream] : streams().by_id) {
    if (stream->blocking && !stream->running) run_until({id, stream->queued});
  }
}

void push(cudaStream_t stream, CUstream_st::Work work) {
  stream->work.push_back(std::move(work));
  ++stream->queued;
  if (!options().deferred || stream == streams().null_stream) run_until(end_of(stream));
}

}  // namespace

std::recursive_mutex& emulator_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

cudaStream_t create_stream(bool blocking, int device) {
  Streams& all = streams();
  auto* const stream = new CUstream_st;
  stream->id = all.next_id++;
  stream->blocking = blocking;
  stream->device = device;
  all.by_id[stream->id] = stream;
  return stream;
}

void destroy_stream(cudaStream_t stream) {
  run_until(end_of(stream));
  streams().by_id.erase(stream->id);
  delete stream;
}

cudaStream_t find_stream(cudaStream_t stream) {
  Streams& all = streams();
  if (stream == nullptr || stream == cudaStreamLegacy) {
    if (all.null_stream == nullptr) all.null_stream = create_stream(true, 0);
    return all.null_stream;
  }
  for (const auto& [id, known] : all.by_id) {
    if (known == stream) return stream;
  }
  return nullptr;
}

void submit(cudaStream_t stream, std::function<void()> run) {
  if (stream->capture) {
    stream->capture->graph->nodes.push_back(std::move(run));
    ++stream->capture->branches[stream].nodes;
    return;
  }
  if (stream == streams().null_stream) run_blocking();
  push(stream, {std::move(run), {}});
}

void submit_wait(cudaStream_t stream, Ticket ticket) {
  push(stream, {nullptr, ticket});
}

Ticket end_of(cudaStream_t stream) {
  return {stream->id, stream->queued};
}

bool is_passed(Ticket ticket) {
  const auto found = streams().by_id.find(ticket.stream);
  return found == streams().by_id.end() || found->second->done >= ticket.position;
}

void run_until(Ticket ticket) {
  while (!is_passed(ticket)) {
    run_another();
    // The other stream may have run this one, or waited for it.
    const cudaStream_t stream = streams().by_id.at(ticket.stream);
    if (stream->done < ticket.position) run_next(stream);
  }
}

void run_all() {
  std::vector<Ticket> tickets;
  for (const auto& [id, stream] : streams().by_id) tickets.push_back({id, stream->queued});
  for (const Ticket ticket : tickets) run_until(ticket);
}

cudaStreamCaptureMode& thread_capture_mode() {
  thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  return mode;
}

std::vector<std::weak_ptr<Capture>>& captures() {
  static auto& all = *new std::vector<std::weak_ptr<Capture>>;
  return all;
}

bool breaks_capture() {
  bool broken = false;
  std::erase_if(captures(), [](const auto& weak) {
    const auto capture = weak.lock();
    return !capture || capture->ended;
  });
  for (const auto& weak : captures()) {
    const std::shared_ptr<Capture> capture = weak.lock();
    const bool own = capture->thread == std::this_thread::get_id();
    const cudaStreamCaptureMode mode = thread_capture_mode();
    if (capture->mode == cudaStreamCaptureModeRelaxed || mode == cudaStreamCaptureModeRelaxed) {
      continue;
    }
    if (!own &&
        (capture->mode != cudaStreamCaptureModeGlobal || mode != cudaStreamCaptureModeGlobal)) {
      continue;
    }
    capture->invalid = true;
    broken = true;
  }
  return broken;
}

}  // namespace emu
