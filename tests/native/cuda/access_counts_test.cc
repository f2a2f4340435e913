// What kernels that are bound by memory do with it, counted by the checked plugin: of the sectors
// that warps touch nearly all bytes are used, and banks of shared memory are free of conflicts.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <sstream>
#include <string>

#include "base/random.h"
#include "cuda_device.h"
#include "emulated_gpu.h"
#include "ops/alignment.h"

namespace ata {
namespace {

constexpr double kSectorBytes = 32;
constexpr double kLeastUsed = 0.9;
constexpr int kWorstConflict = 2;

// Of all places of all kernels that ran.
struct Counts {
  double distinct_bytes = 0;
  double sectors = 0;
  int worst_conflict = 0;
};

// Reads the emulator's table, whose columns README.md of cuda_emulator describes.
Counts parse(const std::string& table) {
  Counts counts;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    const bool global = line.find(" global ") != std::string::npos;
    const size_t at = line.find(global ? " global " : " shared ");
    if (at == std::string::npos) continue;
    std::istringstream columns(line.substr(at));
    std::string kind, verb, used, turns, ways;
    double requests, lanes, asked, distinct, sectors;
    columns >> kind >> verb >> requests >> lanes >> asked >> distinct;
    if (global) {
      columns >> sectors;
      counts.distinct_bytes += distinct;
      counts.sectors += sectors;
    } else {
      int worst = 0;
      columns >> used >> used >> turns >> ways >> worst;
      counts.worst_conflict = std::max(counts.worst_conflict, worst);
    }
    EXPECT_FALSE(columns.fail()) << line;
  }
  return counts;
}

class AccessCounts : public ::testing::Test {
 protected:
  Tensor random(const Shape& shape, DType dtype = DType::kF32) {
    Tensor host(shape, DType::kF32);
    Random numbers(++seed_);
    for (int64_t i = 0; i < host.count(); ++i) host.data<float>()[i] = numbers.normal();
    const Tensor values = context_.copy(host);
    if (dtype == DType::kF32) return values;
    Tensor result = context_.empty(shape, dtype);
    context_.run(&Kernels::convert, values, result);
    return result;
  }

  void expect_good(const char* name, const std::function<void()>& work) {
    SCOPED_TRACE(name);
    context_.synchronize();
    ON_EMULATOR(ata_emulator_count)(1);
    work();
    context_.synchronize();
    const std::string table = ON_EMULATOR(ata_emulator_counts)();
    ON_EMULATOR(ata_emulator_count)(0);
    const Counts counts = parse(table);
    ASSERT_GT(counts.sectors, 0) << "nothing was counted";
    const double used = counts.distinct_bytes / (counts.sectors * kSectorBytes);
    EXPECT_GE(used, kLeastUsed) << table;
    EXPECT_LE(counts.worst_conflict, kWorstConflict) << table;
    std::printf("%-28s %8.0f sectors, %5.1f%% used, conflicts %d\n", name, counts.sectors,
                100 * used, counts.worst_conflict);
  }

  const Context context_ = make_context(cuda_device());
  Tensor none_;
  uint64_t seed_ = 0;
};

constexpr int64_t kWidth = 768;

TEST_F(AccessCounts, LayerNorm) {
  const Tensor x = random({37, kWidth}), gamma = random({kWidth}), beta = random({kWidth});
  Tensor wide = context_.empty({37, kWidth}), narrow = context_.empty({37, kWidth}, DType::kBF16);
  const auto norm = [&](Tensor& y) {
    context_.run(&Kernels::layer_norm, x, gamma, beta, 1e-6F, y, none_, none_);
  };
  expect_good("layer_norm f32", [&] { norm(wide); });
  expect_good("layer_norm bf16", [&] { norm(narrow); });
}

TEST_F(AccessCounts, TemporalAttention) {
  constexpr ClipLayout kLayout = {1, 8, 49};
  Tensor index({1, 8, 49}, DType::kI32);
  for (int64_t i = 0; i < index.count(); ++i) {
    index.data<int32_t>()[i] = static_cast<int32_t>((i / 49 * 5 + i % 49 * 3) % 49);
  }
  const Tensor trajectories = context_.copy(index);
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Tensor qkv = random({kLayout.patch_rows(), 3 * kWidth}, dtype);
    Tensor y = context_.empty({kLayout.patch_rows(), kWidth}, dtype);
    expect_good(dtype == DType::kF32 ? "temporal_attention f32" : "temporal_attention bf16", [&] {
      context_.run(&Kernels::temporal_attention, qkv, kLayout, 12, trajectories, none_, y);
    });
  }
}

// Scales, products of frames, and the greatest of each row. Rows of similarities begin wherever
// they do, 16 bytes aligned, and the tensor cores' layout stores 32 bytes of each at a time, which
// straddle two sectors then (66 % used, put together again by the cache): little beside reading
// real features.
TEST_F(AccessCounts, Similarity) {
  constexpr ClipLayout kLayout = {1, 2, 98};
  const Tensor features = random({kLayout.patch_rows(), 256});
  for (const SimilarityProduct product : {SimilarityProduct::kF32, SimilarityProduct::kFastest}) {
    const AlignmentOptions options = {.method = AlignmentMethod::kNearest, .product = product};
    expect_good(product == SimilarityProduct::kF32 ? "similarity f32" : "similarity split", [&] {
      AlignmentState state;
      align(context_, features, kLayout, options, state);
    });
  }
}

TEST_F(AccessCounts, Rows) {
  const Tensor x = random({50, kWidth}), scale = random({50}), residual = random({50, kWidth});
  Tensor y = context_.zeros({50, kWidth}), narrow = context_.empty({50, kWidth}, DType::kBF16);
  expect_good("add", [&] { context_.run(&Kernels::add, x, y); });
  expect_good("convert to bf16", [&] { context_.run(&Kernels::convert, x, narrow); });
  expect_good("convert to f32", [&] { context_.run(&Kernels::convert, narrow, y); });
  expect_good("scale_rows", [&] { context_.run(&Kernels::scale_rows, x, none_, residual, y); });
}

TEST_F(AccessCounts, Tokens) {
  constexpr ClipLayout kLayout = {1, 2, 49};
  const Tensor patches = random({kLayout.patch_rows(), kWidth}), cls = random({kWidth});
  const Tensor places = random({50, kWidth}), times = random({2, kWidth});
  Tensor tokens = context_.empty({kLayout.token_rows(), kWidth});
  expect_good("embed_tokens", [&] {
    context_.run(&Kernels::embed_tokens, patches, cls, places, times, kLayout, tokens);
  });
  const Tensor clip = random({1, 3, 2, 112, 112});
  Tensor rows = context_.empty({98, 3 * 16 * 16});
  expect_good("extract_patches",
              [&] { context_.run(&Kernels::extract_patches, clip, int64_t{16}, rows); });
}

}  // namespace
}  // namespace ata
