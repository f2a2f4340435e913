#ifndef ATA_CUDA_KERNELS_MEETING_TRAJECTORIES_H_
#define ATA_CUDA_KERNELS_MEETING_TRAJECTORIES_H_

#include "backend/device.h"
#include "tensor/layout.h"

namespace ata::cuda {

/// Which trajectories meet in each patch, in their order: those of patch p of a frame are
/// `visitors[ends[p] - visits[p]]` to `visitors[ends[p] - 1]` of its row. i32 `[B*T, N]`.
struct Meetings {
  Tensor ends;
  Tensor visitors;
};
Meetings find_meetings(Stream& stream, const ClipLayout& layout, const Tensor& trajectories,
                       const Tensor& visits);

/// y [B*T*N, columns] = the sums, or means, of the rows of f32 x, which lies in the trajectories'
/// order (B, T, N), over those that meet in a patch; 0 where none does. The order of the sums is
/// that of the trajectories.
void combine_meetings(Stream& stream, const Tensor& x, const ClipLayout& layout,
                      const Tensor& visits, const Meetings& meetings, bool mean, Tensor& y);

}  // namespace ata::cuda

#endif  // ATA_CUDA_KERNELS_MEETING_TRAJECTORIES_H_
