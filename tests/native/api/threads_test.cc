// A good guest in somebody else's process: how many threads there are, whose modes they have, and
// what becomes of them in a forked child or where the system refuses them.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "ata/ata.h"
#include "handles.h"
#include "support/mentions.h"

#if defined(__linux__)
#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#endif
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace {

// A model that is worth several threads, since its products are cut into many tiles.
ata_model_config wide_config() {
  ata_model_config config = small_config();
  config.image_size = 64;
  config.backbone = R"({"patch_size": 4, "dim": 192, "depth": 1, "heads": 4})";
  return config;
}

class Guest : public testing::Test {
 protected:
  void SetUp() override {
    const ata_model_config config = wide_config();
    ata_model* model = nullptr;
    ASSERT_EQ(ata_model_create(&config, 1, nullptr, &model), ATA_OK) << ata_last_error();
    model_.reset(model);
    values_.resize(2 * 3 * 3 * 64 * 64);
    for (size_t i = 0; i < values_.size(); ++i)
      values_[i] = std::sin(static_cast<float>(i) * 0.37f);
    costs_.resize(kProblems * kSide * kSide);
    for (size_t i = 0; i < costs_.size(); ++i) {
      costs_[i] = static_cast<float>((i * 2654435761u) % 1000) * 1e-3f;
    }
  }
  void TearDown() override { ata_thread_set_count(0); }

  Handle<ata_session> session(int32_t threads) const {
    ata_session_options options;
    EXPECT_EQ(ata_session_options_init(&options, sizeof(options)), ATA_OK);
    EXPECT_EQ(options.threads, 0);
    options.threads = threads;
    ata_session* session = nullptr;
    EXPECT_EQ(ata_session_create(model_.get(), &options, &session), ATA_OK) << ata_last_error();
    return Handle<ata_session>(session);
  }

  std::vector<float> forward(ata_session* session) {
    const Handle<ata_tensor> clip =
        wrap(values_.data(), values_.size() * sizeof(float), ATA_F32, {2, 3, 3, 64, 64});
    std::vector<float> logits(10);
    EXPECT_EQ(ata_session_forward(session, clip.get(), nullptr, logits.data(), 10), ATA_OK)
        << ata_last_error();
    return logits;
  }

  // The matchings of all problems.
  std::vector<int32_t> solve(int32_t threads = 0) const {
    ata_assign_options options;
    EXPECT_EQ(ata_assign_options_init(&options, sizeof(options)), ATA_OK);
    options.threads = threads;
    options.maximize = 0;
    ata_assigner* made = nullptr;
    EXPECT_EQ(ata_assigner_create(&options, &made), ATA_OK) << ata_last_error();
    const Handle<ata_assigner> assigner(made);
    std::vector<int32_t> matching(kProblems * kSide, -7);
    EXPECT_EQ(ata_assigner_solve(made, costs_.data(), costs_.size(), kProblems, kSide, kSide,
                                 matching.data(), matching.size(), nullptr, 0, nullptr, 0),
              ATA_OK)
        << ata_last_error();
    return matching;
  }

  static constexpr int kProblems = 64;
  static constexpr int kSide = 16;
  Handle<ata_model> model_;
  std::vector<float> values_;
  std::vector<float> costs_;
};

TEST_F(Guest, LimitsThatAreNoneAreRefusedByName) {
  ata_session_options session;
  ata_session_options_init(&session, sizeof(session));
  ata_train_options train;
  ata_train_options_init(&train, sizeof(train));
  ata_assign_options assign;
  ata_assign_options_init(&assign, sizeof(assign));
  ata_alignment_options alignment;
  ata_alignment_options_init(&alignment, sizeof(alignment));
  ata_temporal_block_options block;
  ata_temporal_block_options_init(&block, sizeof(block));
  ata_mi_options information;
  ata_mi_options_init(&information, sizeof(information));
  std::vector<float> numbers(64);
  std::iota(numbers.begin(), numbers.end(), 0.0f);
  const auto samples = wrap(numbers.data(), 256, ATA_F32, {32, 2});
  const auto frames = wrap(numbers.data(), 256, ATA_F32, {1, 2, 4, 8});
  const auto problem = wrap(numbers.data(), 256, ATA_F32, {8, 8});
  void* out = nullptr;
  double nats = 0;
  const auto to = [&out](auto* handle) { return reinterpret_cast<decltype(handle)*>(&out); };
  for (const int32_t threads : {-1, INT32_MIN, ATA_MAX_THREADS + 1, INT32_MAX}) {
    SCOPED_TRACE(threads);
    session.threads = train.threads = assign.threads = alignment.threads = block.threads =
        information.threads = threads;
    const auto refused = [&](ata_status status, const char* field) {
      EXPECT_EQ(status, ATA_INVALID_ARGUMENT) << field;
      EXPECT_MENTIONS(ata_last_error(), field);
      EXPECT_MENTIONS(ata_last_error(), std::to_string(threads));
      EXPECT_EQ(out, nullptr);
    };
    refused(ata_session_create(model_.get(), &session, to(static_cast<ata_session*>(nullptr))),
            "ata_session_options.threads");
    refused(ata_assigner_create(&assign, to(static_cast<ata_assigner*>(nullptr))),
            "ata_assign_options.threads");
    refused(ata_assign(problem.get(), &assign, to(static_cast<ata_tensor*>(nullptr)), nullptr, 0),
            "ata_assign_options.threads");
    refused(ata_align(frames.get(), &alignment, to(static_cast<ata_tensor*>(nullptr)), nullptr),
            "ata_alignment_options.threads");
    refused(
        ata_online_aligner_create(4, 8, &alignment, to(static_cast<ata_online_aligner*>(nullptr))),
        "ata_alignment_options.threads");
    refused(ata_temporal_block_create(8, &block, nullptr,
                                      to(static_cast<ata_temporal_block*>(nullptr))),
            "ata_temporal_block_options.threads");
    refused(ata_mutual_information_estimate(samples.get(), samples.get(), &information, &nats),
            "ata_mi_options.threads");
    refused(ata_trainer_create(model_.get(), &train, to(static_cast<ata_trainer*>(nullptr))),
            "ata_train_options.threads");
  }
  // A block has a limit of its own, and one place for it.
  alignment.threads = 1;
  EXPECT_EQ(ata_temporal_block_create(8, nullptr, &alignment,
                                      to(static_cast<ata_temporal_block*>(nullptr))),
            ATA_INVALID_ARGUMENT);
  EXPECT_MENTIONS(ata_last_error(), "ata_temporal_block_options.threads");
}

TEST_F(Guest, ResultsDoNotDependOnLimits) {
  ASSERT_EQ(ata_thread_set_count(4), ATA_OK);
  const std::vector<float> logits = forward(session(0).get());
  const std::vector<int32_t> matching = solve();
  for (const int32_t threads : {1, 2, 3, 9}) {
    EXPECT_EQ(forward(session(threads).get()), logits) << threads;
    EXPECT_EQ(solve(threads), matching) << threads;
  }
}

#if defined(__SSE2__)
TEST_F(Guest, TheHostsFloatingPointModeIsItsOwn) {
  constexpr unsigned kFlush = 0x8040;    // denormals are zero, and flushed to it
  constexpr unsigned kUpward = 0x4000;   // rounding
  constexpr unsigned kControl = 0xFFC0;  // what is no flag of what has happened
  for (float& cost : costs_) cost *= 1e-40f;
  ASSERT_EQ(ata_thread_set_count(4), ATA_OK);
  const std::vector<int32_t> matching = solve();
  const std::vector<float> logits = forward(session(0).get());
  const unsigned before = _mm_getcsr();
  for (const unsigned mode : {before | kFlush, before, before | kUpward, before}) {
    for (const int32_t threads : {0, 1}) {
      _mm_setcsr(mode);
      const std::vector<int32_t> found = solve(threads);
      const unsigned after_solving = _mm_getcsr();
      const std::vector<float> computed = forward(session(threads).get());
      const unsigned after_running = _mm_getcsr();
      _mm_setcsr(before);
      EXPECT_EQ(found, matching) << mode << ", " << threads << " threads";
      EXPECT_EQ(computed, logits) << mode << ", " << threads << " threads";
      EXPECT_EQ(after_solving & kControl, mode & kControl);
      EXPECT_EQ(after_running & kControl, mode & kControl);
    }
  }
}
#endif

#if defined(__linux__) && \
    !defined(ATA_SANITIZED)  // Sanitizers keep threads and memory of their own.

// -1 where that is not to be known: in a process that has changed its user.
int threads_of_process() {
  DIR* folder = opendir("/proc/self/task");
  if (folder == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

// Runs `body` in a child of this process; its exit code, -1 when it had to be killed, or -2 when it
// was killed by a signal. Failures of expectations in it are on standard error, and code 99.
int run_in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    const int code = body();
    _exit(testing::Test::HasFailure() ? 99 : code);
  }
  for (int waits = 0; waits < 6000; ++waits) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

TEST_F(Guest, AForkedChildMayUseEverything) {
  ASSERT_EQ(ata_thread_set_count(3), ATA_OK);
  const std::vector<int32_t> matching = solve();
  const Handle<ata_session> used = session(0);
  const std::vector<float> logits = forward(used.get());
  EXPECT_EQ(run_in_child([&] {
              // What the parent used, and new things.
              EXPECT_EQ(solve(), matching);
              EXPECT_EQ(forward(used.get()), logits);
              EXPECT_EQ(forward(session(0).get()), logits);
              EXPECT_EQ(threads_of_process(), 3);
              return run_in_child([&] { return solve() == matching ? 0 : 1; });
            }),
            0);
  EXPECT_EQ(solve(), matching);
}

TEST_F(Guest, AProcessMayForkWhileItsThreadsWork) {
  ASSERT_EQ(ata_thread_set_count(2), ATA_OK);
  const std::vector<float> logits = forward(session(0).get());
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 2; ++caller) {
    callers.emplace_back([&] {
      const Handle<ata_session> own = session(0);
      while (!stop) EXPECT_EQ(forward(own.get()), logits);
    });
  }
  for (int round = 0; round < 10; ++round) {
    EXPECT_EQ(run_in_child([&] { return forward(session(0).get()) == logits ? 0 : 1; }), 0);
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
}

// In a child, which begins without the pool's threads.
TEST_F(Guest, ThreadsAreAsManyAsWereAllowed) {
  ASSERT_EQ(ata_thread_set_count(4), ATA_OK);
  EXPECT_EQ(run_in_child([&] {
              EXPECT_EQ(threads_of_process(), 1);
              forward(session(1).get());
              solve(1);
              EXPECT_EQ(threads_of_process(), 1);
              forward(session(2).get());
              EXPECT_EQ(threads_of_process(), 2);
              forward(session(0).get());
              solve();
              EXPECT_EQ(threads_of_process(), 4);
              return 0;
            }),
            0);
}

TEST_F(Guest, ManyCallersShareOnePool) {
  ASSERT_EQ(ata_thread_set_count(4), ATA_OK);
  const std::vector<float> logits = forward(session(0).get());
  EXPECT_EQ(run_in_child([&] {
              constexpr int kCallers = 16;
              std::array<int, kCallers> seen = {};
              std::vector<std::thread> callers;
              for (int& most : seen) {
                callers.emplace_back([&] {
                  const Handle<ata_session> own = session(0);
                  for (int run = 0; run < 3; ++run) {
                    EXPECT_EQ(forward(own.get()), logits);
                    most = std::max(most, threads_of_process());
                  }
                });
              }
              for (std::thread& caller : callers) caller.join();
              for (const int most : seen) EXPECT_LE(most, 1 + kCallers + 3);
              // A thread that was joined may be listed for a moment longer.
              for (int wait = 0; wait < 500 && threads_of_process() > 1 + 3; ++wait) {
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
              }
              EXPECT_EQ(threads_of_process(), 1 + 3);
              return 0;
            }),
            0);
}

TEST_F(Guest, GoesOnWhereNoThreadCanBeStarted) {
  const std::vector<float> logits = forward(session(0).get());
  const std::vector<int32_t> matching = solve();
  const auto in_narrow_process = [&](const std::function<bool()>& narrow) {
    return run_in_child([&] {
      if (!narrow()) return 2;
      if (ata_thread_set_count(ATA_MAX_THREADS) != ATA_OK) return 3;
      EXPECT_EQ(solve(), matching);
      EXPECT_EQ(forward(session(0).get()), logits);
      EXPECT_LT(threads_of_process(), ATA_MAX_THREADS / 2);
      return 0;
    });
  };
  // No room for the stacks of more than a few.
  EXPECT_EQ(in_narrow_process([] {
              size_t pages = 0;
              FILE* file = std::fopen("/proc/self/statm", "r");
              const bool known = file != nullptr && std::fscanf(file, "%zu", &pages) == 1;
              if (file != nullptr) std::fclose(file);
              const rlim_t room =
                  pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + (size_t{4} << 30);
              const rlimit limit = {room, room};
              return known && setrlimit(RLIMIT_AS, &limit) == 0;
            }),
            0);
  // No thread at all; root may start as many as it likes.
  EXPECT_EQ(in_narrow_process([] {
              const rlimit limit = {0, 0};
              return setrlimit(RLIMIT_NPROC, &limit) == 0 && (getuid() != 0 || setuid(65534) == 0);
            }),
            0);
}

// What the tests below run as another process.
TEST(GuestsProgram, DISABLED_ReturnsTheNumberOfThreads) {
  _exit(ata_thread_count());
}

TEST(GuestsProgram, HeedsTheEnvironment) {
  const auto count_with = [](const std::vector<std::string>& variables) {
    return run_in_child([&] {
      unsetenv("ATA_NUM_THREADS");
      unsetenv("OMP_NUM_THREADS");
      for (const std::string& variable : variables) {
        const size_t equals = variable.find('=');
        setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
      }
      execl("/proc/self/exe", "api_test", "--gtest_also_run_disabled_tests", "--gtest_brief=1",
            "--gtest_filter=GuestsProgram.DISABLED_ReturnsTheNumberOfThreads", nullptr);
      return 200;
    });
  };
  const int own = count_with({});
  EXPECT_GE(own, 1);
  EXPECT_LT(own, 200);
  EXPECT_EQ(count_with({"OMP_NUM_THREADS=5"}), 5);
  EXPECT_EQ(count_with({"OMP_NUM_THREADS=6,2"}), 6);
  EXPECT_EQ(count_with({"OMP_NUM_THREADS=5", "ATA_NUM_THREADS=7"}), 7);
  EXPECT_EQ(count_with({"OMP_NUM_THREADS=5", "ATA_NUM_THREADS=many"}), 5);
  EXPECT_EQ(count_with({"ATA_NUM_THREADS=0"}), own);
}

TEST(GuestsProgram, HeedsTheAffinityMask) {
  EXPECT_EQ(run_in_child([] {
              cpu_set_t allowed;
              CPU_ZERO(&allowed);
              if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 201;
              int first = 0;
              while (!CPU_ISSET(first, &allowed)) ++first;
              cpu_set_t one;
              CPU_ZERO(&one);
              CPU_SET(first, &one);
              if (sched_setaffinity(0, sizeof(one), &one) != 0) return 202;
              unsetenv("ATA_NUM_THREADS");
              unsetenv("OMP_NUM_THREADS");
              execl("/proc/self/exe", "api_test", "--gtest_also_run_disabled_tests",
                    "--gtest_brief=1",
                    "--gtest_filter=GuestsProgram.DISABLED_ReturnsTheNumberOfThreads", nullptr);
              return 200;
            }),
            1);
}

#endif

}  // namespace
