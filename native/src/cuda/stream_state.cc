#include "cuda/stream_state.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "base/error.h"

namespace ata::cuda {

void StreamList::add(StreamState* stream) {
  std::lock_guard lock(mutex_);
  streams_.push_back(stream);
}

void StreamList::remove(StreamState* stream) {
  std::lock_guard lock(mutex_);
  std::erase(streams_, stream);
}

void StreamList::hold_back(cudaStream_t later, cudaEvent_t event) {
  std::lock_guard lock(mutex_);
  for (const StreamState* stream : streams_) stream->hold_back(later, event);
}

StreamState::StreamState(StreamList& list, int ordinal, const Properties& properties,
                         cudaStream_t given)
    : list_(list),
      ordinal_(ordinal),
      properties_(properties),
      handle_(given),
      owned_(given == nullptr) {
  if (owned_) {
    check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "making a stream");
  }
  const cudaError_t error = cudaEventCreateWithFlags(&before_recording_, cudaEventDisableTiming);
  if (error != cudaSuccess) {
    if (owned_) cudaStreamDestroy(handle_);
    check(error, "making an event");
  }
  list_.add(this);
}

StreamState::~StreamState() {
  // The pinned memory, and the scratch of products, may still be in use.
  cudaStreamSynchronize(handle_);
  list_.remove(this);
  for (Half& half : halves_) {
    if (half.data) cudaFreeHost(half.data);
    if (half.sent) cudaEventDestroy(half.sent);
  }
  if (blas_workspace_) cudaFree(blas_workspace_);
  cudaEventDestroy(before_recording_);
  if (owned_) cudaStreamDestroy(handle_);
}

void StreamState::hold_back(cudaStream_t later, cudaEvent_t event) const {
  if (recording_) {
    event = before_recording_;
  } else {
    check(cudaEventRecord(event, handle_), "recording an event");
  }
  check(cudaStreamWaitEvent(later, event, 0), "waiting for an event");
}

bool StreamState::begin_recording() {
  const std::lock_guard lock(list_.mutex());
  check(cudaEventRecord(before_recording_, handle_), "recording an event");
  // Relaxed: other threads go on with their own streams.
  const cudaError_t error = cudaStreamBeginCapture(handle_, cudaStreamCaptureModeRelaxed);
  if (error == cudaErrorStreamCaptureUnsupported) {
    cudaGetLastError();
    return false;
  }
  check(error, "recording work");
  recording_ = true;
  return true;
}

cudaGraph_t StreamState::end_recording(bool keep) {
  cudaGraph_t graph = nullptr;
  const std::lock_guard lock(list_.mutex());
  const cudaError_t error = cudaStreamEndCapture(handle_, &graph);
  recording_ = false;
  if (keep) {
    check(error, "recording work");
  } else {
    cudaGetLastError();
    if (graph) cudaGraphDestroy(graph);
    graph = nullptr;
  }
  return graph;
}

cudaGraphExec_t StreamState::record(const std::function<void()>& work) {
  // So that nothing that the first launch makes falls into the recording.
  blas_workspace();
  if (!begin_recording()) return nullptr;
  try {
    work();
  } catch (const CannotRecord&) {
    end_recording(false);
    return nullptr;
  } catch (...) {
    end_recording(false);
    throw;
  }
  const cudaGraph_t graph = end_recording(true);
  cudaGraphExec_t executable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(error, "preparing recorded work");
  return executable;
}

void StreamState::synchronize() {
  if (recording_) throw CannotRecord();
  check(cudaStreamSynchronize(handle_), "work on the GPU");
}

void* StreamState::blas_workspace() {
  if (!blas_workspace_) {
    check(cudaMalloc(&blas_workspace_, kBlasWorkspace),
          concat("allocating ", kBlasWorkspace, " bytes of scratch memory for products").c_str());
  }
  return blas_workspace_;
}

void StreamState::make_staging() {
  for (Half& half : halves_) {
    if (!half.sent) {
      check(cudaEventCreateWithFlags(&half.sent, cudaEventDisableTiming), "making an event");
    }
    if (half.data) continue;
    void* data = nullptr;
    const cudaError_t error = cudaMallocHost(&data, kHalf);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      fail(ATA_OUT_OF_MEMORY, "the host has no ", kHalf,
           " bytes of memory that can be pinned, through which values pass to the GPU; use fewer "
           "sessions, or raise the limit of locked memory (ulimit -l)");
    }
    check(error, "allocating pinned memory");
    half.data = static_cast<char*>(data);
  }
}

char* StreamState::stage(size_t bytes, size_t* room) {
  make_staging();
  if (downloading_) {
    check(cudaStreamSynchronize(handle_), "work on the GPU");
    downloading_ = false;
  }
  Half* half = &halves_[current_];
  if (half->used == kHalf || (half->used > 0 && kHalf - half->used < bytes)) {
    check(cudaEventRecord(half->sent, handle_), "recording an event");
    current_ = 1 - current_;
    half = &halves_[current_];
    if (half->used > 0) check(cudaEventSynchronize(half->sent), "an upload");
    half->used = 0;
  }
  *room = std::min(bytes, kHalf - half->used);
  char* const at = half->data + half->used;
  half->used += *room;
  return at;
}

void StreamState::upload(void* to, const void* host, size_t bytes) {
  if (recording_) throw CannotRecord();
  auto* target = static_cast<char*>(to);
  const auto* source = static_cast<const char*>(host);
  while (bytes > 0) {
    size_t room = 0;
    char* const staged = stage(bytes, &room);
    std::memcpy(staged, source, room);
    check(cudaMemcpyAsync(target, staged, room, cudaMemcpyHostToDevice, handle_), "an upload");
    target += room;
    source += room;
    bytes -= room;
  }
}

void StreamState::finish_download(std::vector<Arriving>& parts) {
  check(cudaStreamSynchronize(handle_), "work on the GPU");
  // Nothing is on its way any more.
  downloading_ = false;
  for (Half& half : halves_) half.used = 0;
  for (const Arriving& part : parts) std::memcpy(part.host, part.staged, part.bytes);
  parts.clear();
}

void StreamState::download(std::span<const CopyOut> copies) {
  if (recording_) throw CannotRecord();
  make_staging();
  // What was uploaded through the pinned memory left it before, in the stream's order.
  downloading_ = true;
  std::vector<Arriving> parts;
  size_t half = 0, used = 0;
  for (const CopyOut& copy : copies) {
    for (size_t done = 0; done < copy.bytes;) {
      if (used == kHalf) {
        if (++half == std::size(halves_)) {
          finish_download(parts);
          downloading_ = true;
          half = 0;
        }
        used = 0;
      }
      const size_t bytes = std::min(copy.bytes - done, kHalf - used);
      char* const staged = halves_[half].data + used;
      check(cudaMemcpyAsync(staged, static_cast<const char*>(copy.from) + done, bytes,
                            cudaMemcpyDeviceToHost, handle_),
            "a download");
      parts.push_back({static_cast<char*>(copy.host) + done, staged, bytes});
      done += bytes;
      used += bytes;
    }
  }
  finish_download(parts);
}

}  // namespace ata::cuda
