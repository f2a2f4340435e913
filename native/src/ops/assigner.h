#ifndef ATA_OPS_ASSIGNER_H_
#define ATA_OPS_ASSIGNER_H_

#include <cstdint>
#include <memory>

#include "ops/assignment.h"

namespace ata {

/// Solves batches of assignment problems again and again. It keeps the memory: on the CPU a batch
/// allocates nothing when one of as many problems, none smaller in either extent, was solved before
/// with as many threads. One thread at a time; parallel over the problems inside.
class Assigner {
 public:
  Assigner(Device& device, const AssignmentOptions& options)
      : context_(make_context(device)), options_(options) {}

  /// As assign(), of values `[B, N, M]` of the host or of the device. The results are written to
  /// the host's memory, all or nothing: when a problem fails nothing is written.
  /// @param matching Receives `[B][N]`.
  /// @param totals Receives B sums, or null.
  /// @param column_duals `[B][M]` prices, in and out, of square problems; or null.
  void solve(const Tensor& values, int32_t* matching, double* totals, double* column_duals);

 private:
  // `shape` in memory that is kept in `buffer`, flat.
  Tensor in(Tensor& buffer, const Shape& shape, DType dtype) const;

  const Context context_;
  const AssignmentOptions options_;
  std::shared_ptr<AssignmentScratch> scratch_;
  Tensor matching_;
  Tensor totals_;
  Tensor column_duals_;
};

}  // namespace ata

#endif  // ATA_OPS_ASSIGNER_H_
