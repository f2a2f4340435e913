// Streams, events, memory in their order, capture and graphs.
#include <functional>
#include <thread>

#include "test_device.h"
#include "test_kernels.h"

namespace emu_test {
namespace {

constexpr int kCount = 200;

class Streams : public EmulatedGpu {
 protected:
  int* make_zeros() { return make(std::vector<int>(kCount, 0)); }
  int first(const int* block) { return read(block, 1)[0]; }
  cudaEvent_t make_event() {
    cudaEvent_t event = nullptr;
    EXPECT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
    return event;
  }
};

TEST_F(Streams, WorkIsDoneWhenSomebodyWaits) {
  cudaStream_t stream = make_stream();
  int* const values = make_zeros();
  int* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(reinterpret_cast<void**>(&pinned), 4), cudaSuccess);
  *pinned = -1;
  launch_add(values, kCount, 3, stream);
  EXPECT_EQ(cudaMemcpyAsync(pinned, values, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(*pinned, -1);
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(*pinned, 3);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
  emu::options().deferred = false;
  launch_add(values, kCount, 1, stream);
  EXPECT_EQ(cudaMemcpyAsync(pinned, values, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(*pinned, 4);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
}

TEST_F(Streams, EventsOrderStreams) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    emu::options().order = emu::Order::kRandom;
    emu::options().seed = seed;
    cudaStream_t a = make_stream(), b = make_stream(), c = make_stream();
    cudaEvent_t event = make_event(), other = make_event();
    int* const values = make_zeros();
    int* const copies = make_zeros();
    launch_add(values, kCount, 1, a);
    EXPECT_EQ(cudaEventRecord(event, a), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(b, event, 0), cudaSuccess);
    launch_copy(values, kCount, copies, b);
    EXPECT_EQ(cudaEventRecord(other, b), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(c, other, 0), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(event, b), cudaSuccess);  // what waited keeps the point it waited for
    launch_add(copies, kCount, 5, c);
    EXPECT_EQ(cudaEventQuery(other), cudaErrorNotReady);
    EXPECT_EQ(cudaStreamSynchronize(c), cudaSuccess);
    EXPECT_EQ(cudaEventQuery(other), cudaSuccess);
    EXPECT_EQ(first(copies), 6);
    for (cudaStream_t stream : {a, b, c}) EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
    EXPECT_EQ(cudaEventDestroy(other), cudaSuccess);
  }
}

TEST_F(Streams, AMissingEventShows) {
  if (!emu::checked()) GTEST_SKIP() << "accesses are not checked here";
  cudaStream_t a = make_stream(), b = make_stream();
  int* const values = make<int>(kCount);
  int* const copies = make_zeros();
  EXPECT_EQ(cudaMemsetAsync(values, 0, kCount * sizeof(int), a), cudaSuccess);
  launch_copy(values, kCount, copies, b);
  EXPECT_EQ(cudaStreamSynchronize(b), cudaErrorLaunchFailure);
  EXPECT_NE(defect().find("nobody wrote"), std::string::npos);
  EXPECT_EQ(cudaStreamDestroy(a), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(b), cudaSuccess);
}

TEST_F(Streams, UploadsTakePageableMemoryAtOnceAndPinnedMemoryLater) {
  cudaStream_t stream = make_stream();
  int* const values = make_zeros();
  int pageable = 4;
  EXPECT_EQ(cudaMemcpyAsync(values, &pageable, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  pageable = 5;
  EXPECT_EQ(first(values), 4);
  int* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(reinterpret_cast<void**>(&pinned), 4), cudaSuccess);
  *pinned = 6;
  EXPECT_EQ(cudaMemcpyAsync(values, pinned, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
  *pinned = 7;  // too early
  EXPECT_EQ(first(values), 7);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(Streams, MemoryIsFreedInTheOrderOfItsStream) {
  cudaStream_t stream = make_stream();
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaMemPoolCreate(&pool, &properties), cudaSuccess);
  uint64_t keep = UINT64_MAX, bytes = 0;
  EXPECT_EQ(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep), cudaSuccess);
  void* block = nullptr;
  ASSERT_EQ(cudaMallocFromPoolAsync(&block, kCount * 4, pool, stream), cudaSuccess);
  int* const values = static_cast<int*>(block);
  int* const copies = make_zeros();
  EXPECT_EQ(cudaMemsetAsync(values, 0, kCount * 4, stream), cudaSuccess);
  launch_add(values, kCount, 2, stream);
  launch_copy(values, kCount, copies, stream);
  EXPECT_EQ(cudaFreeAsync(block, stream), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(block, stream), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &bytes), cudaSuccess);
  EXPECT_EQ(bytes, kCount * 4U);
  EXPECT_EQ(first(copies), 2);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &bytes), cudaSuccess);
  EXPECT_EQ(bytes, 0U);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &bytes), cudaSuccess);
  EXPECT_EQ(bytes, kCount * 4U);
  EXPECT_EQ(cudaMemPoolTrimTo(pool, 0), cudaSuccess);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &bytes), cudaSuccess);
  EXPECT_EQ(bytes, 0U);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(Streams, MemoryRunsOut) {
  size_t free = 0, total = 0;
  void* a = nullptr;
  void* b = nullptr;
  emu::options().memory = 1 << 20;
  ASSERT_EQ(cudaMalloc(&a, 600 << 10), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&b, 600 << 10), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(total, size_t{1} << 20);
  EXPECT_EQ(free, size_t{424} << 10);
  EXPECT_EQ(cudaFree(a), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&b, 600 << 10), cudaSuccess);
  EXPECT_EQ(cudaFree(b), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Streams, CopiesAreCheckedForBoundsAndDirection) {
  int* const values = make_zeros();
  std::vector<int> host(kCount);
  const size_t bytes = kCount * sizeof(int);
  EXPECT_EQ(cudaMemcpy(values, host.data(), bytes + 4, cudaMemcpyHostToDevice),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(values + 1, host.data(), bytes, cudaMemcpyHostToDevice),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(values, host.data(), bytes, cudaMemcpyDeviceToDevice),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), values, bytes, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), host.data(), bytes, cudaMemcpyDeviceToHost),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(values, 0, bytes + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(host.data(), 0, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), values, bytes, cudaMemcpyDefault), cudaSuccess);
  int* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(reinterpret_cast<void**>(&pinned), 16), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(pinned, values, 20, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  cudaPointerAttributes attributes = {};
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, values + 3), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, pinned), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, host.data()), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(values + 1), cudaErrorInvalidValue);
}

class Capturing : public Streams {
 protected:
  Capturing() : stream_(make_stream()), values_(make_zeros()) {}
  ~Capturing() override { EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess); }
  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
    ASSERT_EQ(cudaStreamBeginCapture(stream_, mode), cudaSuccess);
  }
  cudaError_t end() {
    cudaGraph_t graph = nullptr;
    const cudaError_t error = cudaStreamEndCapture(stream_, &graph);
    EXPECT_EQ(graph == nullptr, error != cudaSuccess);
    if (graph != nullptr) cudaGraphDestroy(graph);
    return error;
  }
  cudaStream_t stream_;
  int* values_;
};

TEST_F(Capturing, IsReplayed) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  begin();
  EXPECT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  launch_add(values_, kCount, 3, stream_);
  launch_add(values_, kCount, 4, stream_);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  EXPECT_EQ(first(values_), 0);
  size_t nodes = 0;
  EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(nodes, 2U);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
    EXPECT_EQ(first(values_), 7 * i);
  }
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
}

TEST_F(Capturing, TakesOtherStreamsAlongAndNeedsThemBack) {
  cudaStream_t side = make_stream();
  cudaEvent_t fork = make_event(), join = make_event();
  for (const bool joins : {true, false}) {
    begin();
    EXPECT_EQ(cudaEventRecord(fork, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(side, fork, 0), cudaSuccess);
    launch_add(values_, kCount, 1, side);
    EXPECT_EQ(cudaEventRecord(join, side), cudaSuccess);
    if (joins) {
      EXPECT_EQ(cudaStreamWaitEvent(stream_, join, 0), cudaSuccess);
    }
    EXPECT_EQ(end(), joins ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
  }
  EXPECT_EQ(cudaEventSynchronize(join), cudaErrorCapturedEvent);
  launch_add(values_, kCount, 1, side);  // not captured any more
  EXPECT_EQ(first(values_), 1);
  EXPECT_EQ(cudaEventDestroy(fork), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(join), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(side), cudaSuccess);
}

TEST_F(Capturing, AllowsNoWaitAndNoAllocation) {
  void* block = nullptr;
  int host = 0;
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&pool, 0), cudaSuccess);
  const std::vector<std::function<cudaError_t()>> forbidden = {
      [&] { return cudaStreamSynchronize(stream_); },
      [&] { return cudaStreamQuery(stream_); },
      [&] { return cudaDeviceSynchronize(); },
      [&] { return cudaMalloc(&block, 16); },
      [&] { return cudaMallocHost(&block, 16); },
      [&] { return cudaFree(values_); },
      [&] { return cudaMemcpyAsync(&host, values_, 4, cudaMemcpyDeviceToHost, stream_); },
      [&] { return cudaMemcpyAsync(values_, &host, 4, cudaMemcpyHostToDevice, stream_); },
      [&] { return cudaMemcpy(values_, &host, 4, cudaMemcpyHostToDevice); },
  };
  for (size_t i = 0; i < forbidden.size(); ++i) {
    SCOPED_TRACE(i);
    begin();
    launch_add(values_, kCount, 1, stream_);
    EXPECT_EQ(forbidden[i](), cudaErrorStreamCaptureUnsupported);
    launch_add(values_, kCount, 1, stream_);
    EXPECT_EQ(cudaGetLastError(), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  }
  begin();
  EXPECT_EQ(cudaMallocFromPoolAsync(&block, 16, pool, stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaFreeAsync(values_, stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaSuccess);
  cudaGetLastError();
  EXPECT_EQ(first(values_), 0);
}

TEST_F(Capturing, ConcernsOtherThreadsByItsMode) {
  for (const auto mode : {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal}) {
    begin(mode);
    cudaError_t error = cudaErrorUnknown;
    std::thread([&] {
      cudaStream_t other = make_stream();
      error = cudaStreamSynchronize(other);
      cudaStreamDestroy(other);
    }).join();
    const bool global = mode == cudaStreamCaptureModeGlobal;
    EXPECT_EQ(error, global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
    EXPECT_EQ(end(), global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
  }
}

TEST_F(Streams, ThreadsWorkAtTheSameTime) {
  std::vector<std::thread> threads;
  std::vector<int> results(4);
  std::vector<int*> blocks;
  for (size_t i = 0; i < results.size(); ++i) blocks.push_back(make_zeros());
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      cudaStream_t stream = nullptr;
      cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
      for (int step = 0; step < 50; ++step) {
        launch_add(blocks[i], kCount, static_cast<int>(i), stream);
        if (step % 7 == 0) cudaStreamSynchronize(stream);
      }
      cudaMemcpyAsync(&results[i], blocks[i], 4, cudaMemcpyDeviceToHost, stream);
      cudaStreamDestroy(stream);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(results, (std::vector<int>{0, 50, 100, 150}));
}

}  // namespace
}  // namespace emu_test
