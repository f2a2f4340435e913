// Sessions on a GPU: passes that are recorded and repeated, streams, and memory between them.
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "calls.h"
#include "cuda_device.h"
#include "emulated_gpu.h"
#include "model/session.h"
#include "ops/context.h"
#include "small_model.h"
#include "support/errors.h"

namespace ata {
namespace {

// Streams that do not wait for each other run in any order while one lives, and so do threads.
class RandomOrder {
 public:
  RandomOrder() { ON_EMULATOR(ata_emulator_set_options)("order=random"); }
  ~RandomOrder() { ON_EMULATOR(ata_emulator_set_options)("order=ascending"); }
};

Tensor first_pass(const std::shared_ptr<const Model>& model, const Tensor& clip) {
  return Session(model).forward(clip);
}

TEST(RecordedPass, IsOneLaunchThatAllocatesNothingAndWaitsOnce) {
  const auto model = load_small({}, cuda_device());
  Session session(model);
  const Tensor clip = small_clip(2, 1);
  session.forward(clip);
  const Calls records("cudaStreamBeginCapture");
  session.forward(clip);
  EXPECT_EQ(records.count(), 1);
  const Calls graphs("cudaGraphLaunch"), launches("cudaLaunchKernel"), products("cublasLtMatmul");
  const Calls from_pools("cudaMallocFromPoolAsync"), allocations("cudaMalloc"),
      pinned("cudaMallocHost"), releases("cudaFreeAsync"), fills("cudaMemsetAsync");
  const Calls copies("cudaMemcpyAsync"), stream_waits("cudaStreamSynchronize"),
      event_waits("cudaEventSynchronize"), device_waits("cudaDeviceSynchronize");
  session.forward(clip);
  EXPECT_EQ(graphs.count(), 1);
  for (const Calls* none : {&records, &launches, &products, &from_pools, &allocations, &pinned,
                            &releases, &fills, &event_waits, &device_waits}) {
    EXPECT_EQ(none->count(), none == &records ? 1 : 0);
  }
  // The clip goes there; the logits come back, and whether the GPU saw anything wrong.
  EXPECT_EQ(copies.count(), 3);
  EXPECT_EQ(stream_waits.count(), 1);
}

TEST(RecordedPass, GivesTheBitsOfTheFirstInEveryModeAndAlignment) {
  std::vector<SmallModel> models = {
      {ATA_TEMPORAL_SPACE_ONLY},
      {ATA_TEMPORAL_JOINT},
      {ATA_TEMPORAL_DIVIDED},
      {ATA_TEMPORAL_JOINT, ATA_ALIGNMENT_EXACT, ATA_PRECISION_BF16},
      {ATA_TEMPORAL_ATA, ATA_ALIGNMENT_EXACT, ATA_PRECISION_BF16},
  };
  for (const ata_alignment alignment :
       {ATA_ALIGNMENT_EXACT, ATA_ALIGNMENT_NONE, ATA_ALIGNMENT_NEAREST, ATA_ALIGNMENT_WINDOW,
        ATA_ALIGNMENT_SINKHORN, ATA_ALIGNMENT_SOFT}) {
    models.push_back({ATA_TEMPORAL_ATA, alignment});
  }
  for (const SmallModel& what : models) {
    SCOPED_TRACE(concat(temporal_mode_name(what.temporal), ", ", alignment_name(what.alignment),
                        ", ", int{what.precision}));
    const bool has_trajectories =
        what.temporal == ATA_TEMPORAL_ATA && what.alignment != ATA_ALIGNMENT_SOFT;
    const auto model = load_small(what, cuda_device());
    Session session(model);
    const Calls graphs("cudaGraphLaunch");
    for (const uint64_t seed : {1, 2, 3}) {
      const Tensor clip = small_clip(1, seed);
      Session fresh(model);
      EXPECT_TRUE(same_bits(session.forward(clip), fresh.forward(clip))) << "clip " << seed;
      for (int block = 0; has_trajectories && block < 2; ++block) {
        EXPECT_TRUE(same_bits(session.trajectories(block), fresh.trajectories(block)));
      }
    }
    // Soft weights take a matrix from the host.
    EXPECT_EQ(graphs.count(), what.alignment == ATA_ALIGNMENT_SOFT ? 0 : 2);
  }
}

TEST(RecordedPass, IsKeptForTheLastFourShapes) {
  const auto model = load_small({}, cuda_device());
  Session session(model);
  std::vector<Tensor> clips, expected;
  for (int64_t batch = 1; batch <= 6; ++batch) {
    clips.push_back(small_clip(batch, static_cast<uint64_t>(batch)));
    expected.push_back(first_pass(model, clips.back()));
  }
  const auto run = [&](size_t shape) {
    const Calls graphs("cudaGraphLaunch");
    EXPECT_TRUE(same_bits(session.forward(clips[shape]), expected[shape])) << "shape " << shape;
    return graphs.count();
  };
  for (size_t shape = 0; shape < 6; ++shape) {
    EXPECT_EQ(run(shape), 0);
    EXPECT_EQ(run(shape), 1);
    EXPECT_EQ(run(shape), 1);
  }
  for (const size_t kept : {4, 2, 5, 3}) EXPECT_EQ(run(kept), 1);
  // Those were dropped, and take the places of others now.
  EXPECT_EQ(run(0), 0);
  EXPECT_EQ(run(1), 0);
  EXPECT_EQ(run(3), 1);
  EXPECT_EQ(run(1), 1);
}

TEST(RecordedPass, OtherRequestsBetweenChangeNothing) {
  const auto model = load_small({}, cuda_device());
  const Tensor clip = small_clip(2, 1), other = small_clip(2, 2);
  Session eager(model);
  const int32_t blocks[] = {1, 2};
  const int32_t followed[] = {1};
  const auto expected = eager.run(clip, {.logits = true, .class_token = true});
  const auto inside = eager.run(other, {.features = blocks, .trajectories = followed});
  Session session(model);
  for (int round = 0; round < 4; ++round) {
    EXPECT_TRUE(same_bits(session.forward(clip), expected.logits));
    const Tensor along = session.trajectories(0);
    const auto outputs = session.run(other, {.features = blocks, .trajectories = followed});
    EXPECT_TRUE(same_bits(outputs.features[0], inside.features[0]));
    EXPECT_TRUE(same_bits(outputs.features[1], inside.features[1]));
    EXPECT_TRUE(same_bits(outputs.trajectories[0], inside.trajectories[0]));
    const auto both = session.run(clip, {.logits = true, .class_token = true});
    EXPECT_TRUE(same_bits(both.class_token, expected.class_token));
    EXPECT_TRUE(same_bits(session.trajectories(0), along));
  }
}

TEST(RecordedPass, IsNotBegunWhenCancelled) {
  const auto model = load_small({}, cuda_device());
  const Tensor clip = small_clip(1, 1);
  Session session(model);
  const Tensor expected = session.forward(clip);
  session.forward(clip);
  const std::atomic<bool> cancelled = true;
  const Calls graphs("cudaGraphLaunch");
  EXPECT_EQ(status_of([&] { session.forward(clip, &cancelled); }), ATA_CANCELLED);
  EXPECT_EQ(graphs.count(), 0);
  EXPECT_EQ(status_of([&] { session.trajectories(0); }), ATA_INVALID_STATE);
  EXPECT_TRUE(same_bits(session.forward(clip), expected));
}

TEST(RecordedPass, SaysWhatIsWrongWithItsClip) {
  const auto model = load_small({}, cuda_device());
  const Context context = make_context(cuda_device());
  Tensor clip = small_clip(1, 1);
  const Tensor good = context.copy(clip);
  clip.data<float>()[17] = std::numeric_limits<float>::quiet_NaN();
  const Tensor bad = context.copy(clip);
  context.synchronize();
  Session session(model);
  const Tensor expected = session.forward(good);
  for (int i = 0; i < 3; ++i) {
    EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { session.forward(bad); }), "finite");
    EXPECT_TRUE(same_bits(session.forward(good), expected));
  }
}

TEST(Sessions, RunAtOnceInThreads) {
  const auto model = load_small({}, cuda_device());
  constexpr int kSessions = 4;
  std::vector<Tensor> expected;
  for (int i = 0; i < kSessions; ++i) {
    expected.push_back(first_pass(model, small_clip(1 + i % 2, static_cast<uint64_t>(i))));
  }
  const RandomOrder order;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kSessions; ++i) {
    threads.emplace_back([&, i] {
      Session session(model);
      for (int round = 0; round < 4; ++round) {
        const Tensor logits = session.forward(small_clip(1 + i % 2, static_cast<uint64_t>(i)));
        right += same_bits(logits, expected[static_cast<size_t>(i)]) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 4 * kSessions);
}

TEST(Sessions, RunOnTheCallersStream) {
  const auto model = load_small({}, cuda_device());
  const Tensor clip = small_clip(2, 1);
  const Tensor expected = first_pass(model, clip);
  const emulated_gpu::Stream stream;
  const RandomOrder order;
  const Context context = make_context(cuda_device());
  const Tensor there = context.empty(clip.shape());
  const Calls streams("cudaStreamCreateWithFlags");
  {
    Session session(model, stream.get());
    EXPECT_EQ(streams.count(), 0);
    for (uint64_t round = 0; round < 4; ++round) {
      // What the caller queues before it is what the pass reads, without a wait between.
      const Tensor now = small_clip(2, round);
      emulated_gpu::copy(const_cast<void*>(there.address()), now.raw(), now.bytes(), stream.get());
      EXPECT_TRUE(same_bits(session.forward(there), first_pass(model, now))) << round;
    }
    EXPECT_TRUE(same_bits(session.forward(clip), expected));
  }
  EXPECT_TRUE(stream.is_idle());
  // Still the caller's.
  Session again(model, stream.get());
  EXPECT_TRUE(same_bits(again.forward(clip), expected));
}

TEST(Sessions, RunOnTheDefaultStreamWithoutRecording) {
  const auto model = load_small({}, cuda_device());
  const Tensor clip = small_clip(2, 1);
  const Tensor expected = first_pass(model, clip);
  void* const default_stream = reinterpret_cast<void*>(uintptr_t{1});  // cudaStreamLegacy
  Session session(model, default_stream);
  const Calls graphs("cudaGraphLaunch");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(same_bits(session.forward(clip), expected));
  EXPECT_EQ(graphs.count(), 0);
}

TEST(Sessions, RefuseWhatIsNoStreamOfTheirGpu) {
  const auto model = load_small({}, cuda_device());
  int number = 0;
  EXPECT_MENTIONS(error_of(ATA_INVALID_ARGUMENT, [&] { Session(model, &number); }),
                  "no CUDA stream");
  const emulated_gpu::Stream elsewhere(1);
  const std::string message =
      error_of(ATA_INVALID_ARGUMENT, [&] { Session(model, elsewhere.get()); });
  EXPECT_MENTIONS(message, "cuda:1");
  EXPECT_MENTIONS(message, "cuda:0");
}

TEST(Sessions, OfTwoGpusDoNotMeet) {
  const Tensor clip = small_clip(1, 1);
  const auto first = load_small({}, cuda_device(0)), second = load_small({}, cuda_device(1));
  Session here(first), there(second);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(same_bits(here.forward(clip), there.forward(clip)));
  }
}

TEST(Memory, OfATensorIsNotReusedWhileAnotherStreamReadsIt) {
  const RandomOrder order;
  Device& device = cuda_device();
  const Context one = make_context(device), two = make_context(device);
  constexpr int64_t kCount = 100'000;
  Tensor values({kCount}, DType::kF32);
  for (int64_t i = 0; i < kCount; ++i) values.data<float>()[i] = static_cast<float>(i);
  int reused = 0;
  for (int round = 0; round < 20; ++round) {
    Tensor given = one.copy(values);
    one.synchronize();
    Tensor copies = two.copy(given);  // queued, not run
    const void* const block = given.address();
    given = Tensor();
    one.empty({1});  // waits for what comes back to the pool
    Tensor next = one.empty({kCount});
    device.fill(next.address(), 0, next.bytes(), *one.stream);
    one.synchronize();
    EXPECT_TRUE(same_bits(two.download(copies), values)) << "round " << round;
    reused += next.address() == block ? 1 : 0;
  }
  EXPECT_GT(reused, 0) << "nothing was tested";
}

}  // namespace
}  // namespace ata
