#include "alignment/window.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace ata {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

void WindowMatcher::find_pairs(const NormalizedFrame& now, const NormalizedFrame& next,
                               const PatchGrid& grid, int radius) {
  first_.assign(1, 0);
  column_.clear();
  for (int r = 0; r < grid.height; ++r) {
    for (int c = 0; c < grid.width; ++c) {
      const int left = std::max(c - radius, 0);
      const int right = c + std::min(radius, grid.width - 1 - c);
      const int bottom = r + std::min(radius, grid.height - 1 - r);
      for (int y = std::max(r - radius, 0); y <= bottom; ++y) {
        for (int x = left; x <= right; ++x) column_.push_back(y * grid.width + x);
      }
      first_.push_back(static_cast<int32_t>(column_.size()));
    }
  }
  similarity_.resize(column_.size());
  for (size_t i = 0; i + 1 < first_.size(); ++i) {
    const auto begin = static_cast<size_t>(first_[i]);
    const auto count = static_cast<size_t>(first_[i + 1]) - begin;
    cosine_similarities_of(now, static_cast<int64_t>(i), next, {&column_[begin], count},
                           &similarity_[begin]);
  }
}

// Column duals at the least cost of each column, row duals at the least reduced cost of each row,
// and every row matched to a column of reduced cost 0 that is still free.
void WindowMatcher::reduce() {
  const size_t count = first_.size() - 1;
  column_dual_.assign(count, kInfinity);
  row_dual_.assign(count, kInfinity);
  column_of_.assign(count, -1);
  row_of_.assign(count, -1);
  for (size_t k = 0; k < column_.size(); ++k) {
    double& dual = column_dual_[static_cast<size_t>(column_[k])];
    dual = std::min(dual, 1.0 - similarity_[k]);
  }
  for (size_t i = 0; i < count; ++i) {
    for (int32_t k = first_[i]; k < first_[i + 1]; ++k) {
      const auto at = static_cast<size_t>(k);
      const double reduced = 1.0 - similarity_[at] - column_dual_[static_cast<size_t>(column_[at])];
      row_dual_[i] = std::min(row_dual_[i], reduced);
    }
    for (int32_t k = first_[i]; k < first_[i + 1]; ++k) {
      const auto at = static_cast<size_t>(k);
      const auto j = static_cast<size_t>(column_[at]);
      if (row_of_[j] < 0 && 1.0 - similarity_[at] - column_dual_[j] <= row_dual_[i]) {
        row_of_[j] = static_cast<int32_t>(i);
        column_of_[i] = column_[at];
        break;
      }
    }
  }
}

// Dijkstra from a free row over reduced costs to the nearest free column.
void WindowMatcher::augment(int free_row) {
  touched_.clear();
  heap_.clear();
  auto row = static_cast<size_t>(free_row);
  double reached = 0;
  int32_t last = -1;
  while (true) {
    for (int32_t k = first_[row]; k < first_[row + 1]; ++k) {
      const auto at = static_cast<size_t>(k);
      const auto j = static_cast<size_t>(column_[at]);
      if (final_[j]) continue;
      const double x = reached + (1.0 - similarity_[at] - row_dual_[row] - column_dual_[j]);
      if (x >= distance_[j]) continue;
      if (distance_[j] == kInfinity) touched_.push_back(column_[at]);
      distance_[j] = x;
      predecessor_[j] = static_cast<int32_t>(row);
      heap_.emplace_back(x, column_[at]);
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
    // Entries that a shorter path has overtaken are still in the heap. It cannot run empty: staying
    // in place is always allowed, so that a free column can be reached.
    size_t j = 0;
    do {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      j = static_cast<size_t>(heap_.back().second);
      reached = heap_.back().first;
      heap_.pop_back();
    } while (final_[j]);
    if (row_of_[j] < 0) {
      last = static_cast<int32_t>(j);
      break;
    }
    final_[j] = true;
    row = static_cast<size_t>(row_of_[j]);
  }
  row_dual_[static_cast<size_t>(free_row)] += reached;
  for (const int32_t column : touched_) {
    const auto j = static_cast<size_t>(column);
    if (final_[j]) {
      const double change = reached - distance_[j];
      column_dual_[j] -= change;
      row_dual_[static_cast<size_t>(row_of_[j])] += change;
    }
    distance_[j] = kInfinity;
    final_[j] = false;
  }
  while (true) {
    const int32_t from = predecessor_[static_cast<size_t>(last)];
    const int32_t next = column_of_[static_cast<size_t>(from)];
    row_of_[static_cast<size_t>(last)] = from;
    column_of_[static_cast<size_t>(from)] = last;
    if (from == free_row) return;
    last = next;
  }
}

void WindowMatcher::match(const NormalizedFrame& now, const NormalizedFrame& next,
                          const PatchGrid& grid, int radius, int32_t* match, float* similarities) {
  find_pairs(now, next, grid, radius);
  reduce();
  const size_t count = first_.size() - 1;
  distance_.assign(count, kInfinity);
  predecessor_.assign(count, -1);
  final_.assign(count, false);
  for (size_t i = 0; i < count; ++i) {
    if (column_of_[i] < 0) augment(static_cast<int>(i));
  }
  std::copy(column_of_.begin(), column_of_.end(), match);
  if (similarities == nullptr) return;
  for (size_t i = 0; i < count; ++i) {
    const auto begin = column_.begin() + first_[i];
    const auto found = std::lower_bound(begin, column_.begin() + first_[i + 1], column_of_[i]);
    similarities[i] = similarity_[static_cast<size_t>(found - column_.begin())];
  }
}

}  // namespace ata
