#include "alignment/pair_matcher.h"

#include <algorithm>

#include "base/error.h"

namespace ata {
namespace {

void match_nearest(const float* similarity, int64_t patches, int32_t* match) {
  for (int64_t i = 0; i < patches; ++i) {
    const float* row = similarity + i * patches;
    match[i] = static_cast<int32_t>(std::max_element(row, row + patches) - row);
  }
}

void stay(const NormalizedFrame& now, const NormalizedFrame& next, int32_t* match,
          float* similarities) {
  for (int32_t i = 0; i < now.patches(); ++i) {
    match[i] = i;
    if (similarities != nullptr) {
      cosine_similarities_of(now, i, next, {&match[i], 1}, &similarities[i]);
    }
  }
}

// Rounds the transport plan to the matching that carries the most mass.
void match_transport(const float* similarity, int64_t patches, const AlignmentOptions& options,
                     MatchWorkspace& workspace, int64_t pair, int32_t* match) {
  workspace.plan.reserve(static_cast<size_t>(patches * patches));
  float* plan = workspace.plan.data();
  entropic_transport(similarity, patches, options.temperature, options.iterations,
                     workspace.transport, plan);
  const int n = static_cast<int>(patches);
  solve_assignment(plan, n, n, {}, workspace.assignment, match, nullptr, pair);
}

}  // namespace

bool needs_similarity_matrix(AlignmentMethod method) {
  return method != AlignmentMethod::kNone && method != AlignmentMethod::kWindow;
}

SimilarityProduct frame_product(const AlignmentOptions& options) {
  return needs_similarity_matrix(options.method) ? options.product : SimilarityProduct::kF32;
}

void match_pair(const NormalizedFrame& now, const NormalizedFrame& next, const float* similarity,
                const AlignmentOptions& options, MatchWorkspace& workspace, int64_t pair,
                double* column_duals, int32_t* match, float* similarities) {
  const int64_t patches = now.patches();
  const int n = static_cast<int>(patches);
  switch (options.method) {
    case AlignmentMethod::kExact:
      solve_assignment(similarity, n, n, {}, workspace.assignment, match, column_duals, pair);
      break;
    case AlignmentMethod::kNearest:
      match_nearest(similarity, patches, match);
      break;
    case AlignmentMethod::kSinkhorn:
      match_transport(similarity, patches, options, workspace, pair, match);
      break;
    case AlignmentMethod::kWindow:
      workspace.window.match(now, next, window_grid(options, patches), options.window_radius, match,
                             similarities);
      return;
    case AlignmentMethod::kNone:
      stay(now, next, match, similarities);
      return;
    case AlignmentMethod::kSoft:
      fail(ATA_INTERNAL, "soft alignment does not match pairs of frames");
  }
  if (similarities == nullptr) return;
  for (int64_t i = 0; i < patches; ++i) similarities[i] = similarity[i * patches + match[i]];
}

}  // namespace ata
