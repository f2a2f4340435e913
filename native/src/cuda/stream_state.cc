#include "cuda/stream_state.h"

#include <algorithm>
#include <cstring>

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
  for (const StreamState* stream : streams_) {
    check(cudaEventRecord(event, stream->handle()), "recording an event");
    check(cudaStreamWaitEvent(later, event, 0), "waiting for an event");
  }
}

StreamState::StreamState(StreamList& list, const Properties& properties,
                         std::shared_ptr<Allocator> memory)
    : list_(list), properties_(properties), memory_(std::move(memory)) {
  check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "making a stream");
  list_.add(this);
}

StreamState::~StreamState() {
  cudaStreamSynchronize(handle_);
  list_.remove(this);
  for (Half& half : halves_) {
    if (half.data) cudaFreeHost(half.data);
    if (half.sent) cudaEventDestroy(half.sent);
  }
  cudaStreamDestroy(handle_);
}

void* StreamState::blas_workspace() {
  if (!blas_workspace_) {
    blas_workspace_ = Tensor({static_cast<int64_t>(kBlasWorkspace)}, DType::kU8, memory_);
  }
  return blas_workspace_.address();
}

void StreamState::make_staging() {
  for (Half& half : halves_) {
    if (half.data) continue;
    void* data = nullptr;
    check(cudaMallocHost(&data, kHalf), "allocating pinned memory");
    half.data = static_cast<char*>(data);
    check(cudaEventCreateWithFlags(&half.sent, cudaEventDisableTiming), "making an event");
  }
}

char* StreamState::stage(size_t bytes, size_t* room) {
  make_staging();
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

void StreamState::download(void* host, const void* from, size_t bytes) {
  auto* target = static_cast<char*>(host);
  const auto* source = static_cast<const char*>(from);
  while (bytes > 0) {
    size_t room = 0;
    char* const staged = stage(bytes, &room);
    check(cudaMemcpyAsync(staged, source, room, cudaMemcpyDeviceToHost, handle_), "a download");
    check(cudaStreamSynchronize(handle_), "work on the GPU");
    std::memcpy(target, staged, room);
    // Nothing is on its way any more.
    for (Half& half : halves_) half.used = 0;
    target += room;
    source += room;
    bytes -= room;
  }
}

}  // namespace ata::cuda
