#include "alignment/alignment.h"
#include "ops/cpu.h"

namespace ata::cpu {
namespace {

class CpuAlignmentScratch : public AlignmentScratch {
 public:
  AlignmentWorkspace workspace;
};

}  // namespace

void align(Stream&, const Tensor& features, const ClipLayout& layout,
           const AlignmentOptions& options, const ClipPart& part,
           std::shared_ptr<AlignmentScratch>& scratch, Tensor& column_duals, Tensor& trajectories,
           Tensor& similarities) {
  if (!scratch) scratch = std::make_shared<CpuAlignmentScratch>();
  align_features(features.data<float>(), layout, features.dim(1), options,
                 static_cast<CpuAlignmentScratch&>(*scratch).workspace,
                 trajectories.data<int32_t>(), similarities ? similarities.data<float>() : nullptr,
                 column_duals ? column_duals.data<double>() : nullptr, part);
}

}  // namespace ata::cpu
