// Stands in for the CUDA runtime: streams, events, capture and graphs.
#include <algorithm>

#include "cudart.h"

struct CUgraph_st {
  std::shared_ptr<emu::Graph> graph;
};
struct CUgraphExec_st {
  std::shared_ptr<emu::Graph> graph;
};

namespace emu {
namespace {

cudaError_t invalidate(Capture& capture, cudaError_t error, const std::string& detail = {}) {
  capture.invalid = true;
  return failed(error, detail);
}

cudaError_t wait_for(cudaStream_t stream, const CUevent_st& event) {
  if (event.capture == nullptr) {
    if (stream->capture && !is_passed(event.recorded)) {
      return invalidate(*stream->capture, cudaErrorStreamCaptureIsolation);
    }
    if (!stream->capture) submit_wait(stream, event.recorded);
    return cudaSuccess;
  }
  if (stream->capture && stream->capture != event.capture) {
    return invalidate(*stream->capture, cudaErrorStreamCaptureMerge);
  }
  if (event.capture->ended) return failed(cudaErrorCapturedEvent);
  stream->capture = event.capture;  // takes part from here on
  stream->capture->branches.try_emplace(stream);
  auto& branch = event.capture->branches[event.captured_stream];
  branch.joined = std::max(branch.joined, event.captured_nodes);
  return cudaSuccess;
}

}  // namespace
}  // namespace emu

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  EMU_CALL(cudaErrorMemoryAllocation);
  if (flags > cudaStreamNonBlocking) return emu::failed(cudaErrorInvalidValue);
  *stream = emu::create_stream(flags != cudaStreamNonBlocking, emu::thread_device());
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(emu::emulator_mutex());  // a destructor's call works in any state
  if (stream == nullptr || emu::find_stream(stream) != stream) {
    return emu::failed(cudaErrorInvalidResourceHandle, "no such stream");
  }
  emu::destroy_stream(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (stream->capture) {
    return emu::invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported,
                           "waiting for a stream that is being captured");
  }
  EMU_WAITS();
  emu::run_until(emu::end_of(stream));
  return emu::found_defect();
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (stream->capture) {
    return emu::invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported);
  }
  EMU_WAITS();
  return emu::is_passed(emu::end_of(stream)) ? emu::found_defect() : cudaErrorNotReady;
}

cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* device) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  *device = stream->device;
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (event == nullptr) return emu::failed(cudaErrorInvalidResourceHandle, "no such event");
  return emu::wait_for(stream, *event);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  emu::submit(stream, [=] { function(data); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  EMU_CALL(cudaErrorMemoryAllocation);
  *event = new CUevent_st;
  (*event)->timing = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(emu::emulator_mutex());
  if (event == nullptr) return emu::failed(cudaErrorInvalidResourceHandle, "no such event");
  if (event->timing) emu::run_all();  // what writes its time is queued
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (event == nullptr) return emu::failed(cudaErrorInvalidResourceHandle, "no such event");
  event->capture = stream->capture;
  if (stream->capture) {
    event->captured_stream = stream;
    event->captured_nodes = stream->capture->branches[stream].nodes;
    return cudaSuccess;
  }
  if (event->timing)
    emu::submit(stream, [event] { event->time = std::chrono::steady_clock::now(); });
  event->recorded = emu::end_of(stream);
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  EMU_CALL(cudaErrorUnknown);
  if (event == nullptr) return emu::failed(cudaErrorInvalidResourceHandle, "no such event");
  if (event->capture) return emu::invalidate(*event->capture, cudaErrorCapturedEvent);
  EMU_WAITS();
  emu::run_until(event->recorded);
  return emu::found_defect();
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  EMU_CALL(cudaErrorUnknown);
  if (event == nullptr) return emu::failed(cudaErrorInvalidResourceHandle, "no such event");
  if (event->capture) return emu::invalidate(*event->capture, cudaErrorCapturedEvent);
  EMU_WAITS();
  return emu::is_passed(event->recorded) ? emu::found_defect() : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  EMU_CALL(cudaErrorUnknown);
  if (begin == nullptr || end == nullptr || !begin->timing || !end->timing) {
    return emu::failed(cudaErrorInvalidResourceHandle, "events without times");
  }
  if (!emu::is_passed(begin->recorded) || !emu::is_passed(end->recorded)) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  EMU_CALL(cudaErrorUnknown);
  std::swap(*mode, emu::thread_capture_mode());
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  EMU_CALL(cudaErrorUnknown);
  if (stream == nullptr || stream == cudaStreamLegacy) {
    return emu::failed(cudaErrorStreamCaptureUnsupported, "the default stream cannot be captured");
  }
  EMU_STREAM(stream);
  if (stream->capture) return emu::failed(cudaErrorIllegalState, "the stream is being captured");
  auto capture = std::make_shared<emu::Capture>();
  capture->origin = stream;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->branches.try_emplace(stream);
  emu::captures().push_back(capture);
  stream->capture = std::move(capture);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(emu::emulator_mutex());  // a capture ends in any state
  *graph = nullptr;
  if (stream == nullptr || emu::find_stream(stream) != stream || !stream->capture) {
    return emu::failed(cudaErrorIllegalState, "the stream is not being captured");
  }
  const std::shared_ptr<emu::Capture> capture = stream->capture;
  if (capture->origin != stream) return emu::failed(cudaErrorStreamCaptureUnmatched);
  if (capture->mode != cudaStreamCaptureModeRelaxed &&
      capture->thread != std::this_thread::get_id()) {
    return emu::invalidate(*capture, cudaErrorStreamCaptureWrongThread);
  }
  capture->ended = true;
  bool joined = true;
  for (const auto& [member, branch] : capture->branches) {
    if (member != stream && branch.joined < branch.nodes) joined = false;
    if (emu::find_stream(member) == member) member->capture.reset();
  }
  if (capture->invalid) return emu::failed(cudaErrorStreamCaptureInvalidated);
  if (!joined) return emu::failed(cudaErrorStreamCaptureUnjoined);
  if (const int error = emu::injected_failure(__func__, cudaErrorUnknown)) {
    return emu::failed(static_cast<cudaError_t>(error), "asked for by a test");
  }
  *graph = new CUgraph_st{capture->graph};
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  EMU_CALL(cudaErrorUnknown);
  cudaStream_t const found = emu::find_stream(stream);
  if (found == nullptr) return emu::failed(cudaErrorInvalidResourceHandle, "no such stream");
  *status = !found->capture           ? cudaStreamCaptureStatusNone
            : found->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                      : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  EMU_CALL(cudaErrorMemoryAllocation);
  if (graph == nullptr) return emu::failed(cudaErrorInvalidValue, "no graph");
  *exec = new CUgraphExec_st{graph->graph};
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  EMU_CALL(cudaErrorUnknown);
  if (graph == nullptr || nodes != nullptr) {
    return emu::failed(cudaErrorNotSupported, "the emulated GPU only counts a graph's nodes");
  }
  *count = graph->graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (exec == nullptr) return emu::failed(cudaErrorInvalidValue, "no graph");
  for (const auto& node : exec->graph->nodes) emu::submit(stream, node);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const std::lock_guard lock(emu::emulator_mutex());
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  const std::lock_guard lock(emu::emulator_mutex());
  delete exec;
  return cudaSuccess;
}

}  // extern "C"
