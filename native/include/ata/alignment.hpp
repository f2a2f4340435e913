/// @file alignment.hpp
/// Part of ata.hpp: alignment, assignment, mutual information.
#ifndef ATA_ALIGNMENT_HPP_
#define ATA_ALIGNMENT_HPP_

#include <ata/tensor.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// Result of align().
struct Alignment {
  Tensor trajectories;  ///< i32 `[B, T, N]`: the patch of frame t on trajectory n.
  Tensor similarities;  ///< f32 `[B, T - 1, N]`: cosine similarity along each step.
};

/// Aligns the frames of clips by their patch features f32 `[B, T, N, D]`; see ata_align().
inline Alignment align(const Tensor& features,
                       const ata_alignment_options& options = defaults<ata_alignment_options>()) {
  ata_tensor* trajectories = nullptr;
  ata_tensor* similarities = nullptr;
  detail::check(ata_align(features.get(), &options, &trajectories, &similarities));
  detail::Handle<ata_tensor, ata_tensor_release> second(similarities);
  Tensor first(trajectories);
  return {std::move(first), Tensor(second.release())};
}

/// Result of assign().
struct Assignment {
  Tensor matching;             ///< i32 `[B, N]` or `[N]`: the column of each row, or -1.
  std::vector<double> totals;  ///< The sum of the matched values, one a problem.
};

/// Solves linear assignment problems f32 `[B, N, M]` or `[N, M]`; see ata_assign() for how exactly.
inline Assignment assign(const Tensor& values,
                         const ata_assign_options& options = defaults<ata_assign_options>()) {
  std::vector<double> totals(values.rank() == 3 ? static_cast<size_t>(values.shape()[0]) : 1);
  Tensor matching(detail::make<ata_tensor>([&](ata_tensor** out) {
    return ata_assign(values.get(), &options, out, totals.data(), totals.size());
  }));
  return {std::move(matching), std::move(totals)};
}

/// Solves linear assignment problems in memory that it keeps, from and into the caller's arrays;
/// see ata_assigner_solve(). One thread at a time; it runs several threads over the problems of a
/// batch.
class Assigner {
 public:
  /// With no memory yet: the first call allocates it.
  explicit Assigner(const ata_assign_options& options = defaults<ata_assign_options>())
      : handle_(detail::make<ata_assigner>(
            [&](ata_assigner** out) { return ata_assigner_create(&options, out); })) {}

  /// Solves one problem.
  /// @param values `rows` x `columns` values, row-major.
  /// @param rows Rows, 1 to 4096.
  /// @param columns Columns, 1 to 4096.
  /// @param matching Receives the column of each row, or -1.
  /// @param column_duals Prices of the columns to start from, which become those of the solution;
  ///   empty when not needed. Square problems only.
  /// @return The sum of the matched values.
  double solve(std::span<const float> values, int64_t rows, int64_t columns,
               std::span<int32_t> matching, std::span<double> column_duals = {}) {
    double total = 0;
    solve_batch(values, 1, rows, columns, matching, {&total, 1}, column_duals);
    return total;
  }

  /// Solves `count` problems. All or nothing: when one fails nothing is written for any.
  /// @param values `count` x `rows` x `columns` values, row-major.
  /// @param count Number of problems.
  /// @param rows Rows of each, 1 to 4096.
  /// @param columns Columns of each, 1 to 4096.
  /// @param matchings Receives `count` x `rows` columns.
  /// @param totals Receives `count` sums; empty when not needed.
  /// @param column_duals `count` x `columns` prices in and out; empty when not needed.
  void solve_batch(std::span<const float> values, int64_t count, int64_t rows, int64_t columns,
                   std::span<int32_t> matchings, std::span<double> totals = {},
                   std::span<double> column_duals = {}) {
    detail::check(ata_assigner_solve(
        handle_.get(), values.data(), values.size(), count, rows, columns, matchings.data(),
        matchings.size(), totals.empty() ? nullptr : totals.data(), totals.size(),
        column_duals.empty() ? nullptr : column_duals.data(), column_duals.size()));
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_assigner* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_assigner, ata_assigner_release> handle_;
};

/// Aligns live video: frames are added one at a time. One thread at a time.
class OnlineAligner {
 public:
  /// For frames of `patches` patches of `channels` channels; see ata_online_aligner_create().
  OnlineAligner(int64_t patches, int64_t channels,
                const ata_alignment_options& options = defaults<ata_alignment_options>())
      : handle_(detail::make<ata_online_aligner>([&](ata_online_aligner** out) {
          return ata_online_aligner_create(patches, channels, &options, out);
        })),
        patches_(static_cast<size_t>(patches)) {}

  /// Where the trajectories are in the frame just added.
  struct Step {
    std::vector<int32_t> positions;   ///< The patch on each trajectory.
    std::vector<float> similarities;  ///< Its cosine similarity to the patch before it.
  };

  /// Adds a frame f32 `[N, D]` and extends every trajectory by it.
  Step add(const Tensor& frame) {
    Step step{std::vector<int32_t>(patches_), std::vector<float>(patches_)};
    add(frame, step.positions, step.similarities);
    return step;
  }

  /// The same into the caller's memory of N values each; similarities may be empty when they are
  /// not needed.
  void add(const Tensor& frame, std::span<int32_t> positions, std::span<float> similarities = {}) {
    if (!similarities.empty() && positions.size() != similarities.size()) {
      throw Error(ATA_INVALID_ARGUMENT, "positions and similarities differ in length: " +
                                            std::to_string(positions.size()) + " and " +
                                            std::to_string(similarities.size()));
    }
    detail::check(ata_online_aligner_add(handle_.get(), frame.get(), positions.data(),
                                         similarities.empty() ? nullptr : similarities.data(),
                                         positions.size()));
  }

  /// Forgets all frames, as after a cut.
  void reset() { detail::check(ata_online_aligner_reset(handle_.get())); }

  /// The handle, for functions of the C API; it stays this object's.
  ata_online_aligner* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_online_aligner, ata_online_aligner_release> handle_;
  size_t patches_;
};

/// Mutual information in nats of paired samples f32 `[S, D]` and `[S, E]`; see
/// ata_mutual_information_estimate().
inline double mutual_information(const Tensor& x, const Tensor& y,
                                 const ata_mi_options& options = defaults<ata_mi_options>()) {
  double nats = 0;
  detail::check(ata_mutual_information_estimate(x.get(), y.get(), &options, &nats));
  return nats;
}

/// Mutual information in nats between the patches of neighbouring frames.
struct TemporalInformation {
  /// Of patches at the same position.
  double before;
  /// Of patches on the same trajectory.
  double after;
};

/// Measures what alignment gains: features f32 `[B, T, N, D]`, trajectories i32 `[B, T, N]` as
/// align() gives; see ata_temporal_information_estimate().
inline TemporalInformation temporal_information(
    const Tensor& features, const Tensor& trajectories,
    const ata_mi_options& options = defaults<ata_mi_options>()) {
  TemporalInformation nats = {};
  detail::check(ata_temporal_information_estimate(features.get(), trajectories.get(), &options,
                                                  &nats.before, &nats.after));
  return nats;
}

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_ALIGNMENT_HPP_
