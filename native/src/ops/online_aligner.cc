#include "ops/online_aligner.h"

namespace ata {

OnlineAligner::OnlineAligner(Device& device, const AlignmentOptions& options, int64_t patches,
                             int64_t channels)
    : context_(make_context(device)),
      options_(options),
      layout_{1, 1, patches},
      channels_(channels) {
  require(patches >= 1 && patches <= kMaxAssignmentExtent && channels >= 1, "online alignment of ",
          patches, " patches of ", channels, " channels; it needs 1 to ", int{kMaxAssignmentExtent},
          " patches and at least one channel");
  validate_trajectories(options, patches);
  patches_ = context_.empty({1, 1, patches}, DType::kI32);
  similarities_ = context_.empty({1, 1, patches});
}

void OnlineAligner::reset() {
  frame_count_ = 0;
}

std::span<const int32_t> OnlineAligner::push(const Tensor& frame) {
  const Shape shape = {layout_.patches, channels_};
  if (frame.dtype() != DType::kF32 || frame.shape() != shape) {
    fail(ATA_INVALID_ARGUMENT, "frame is ", dtype_name(frame.dtype()), " ",
         frame.shape().to_string(), ", not f32 ", shape.to_string());
  }
  const ClipPart part = {.frames_before = frame_count_, .continues = true};
  Tensor none;
  context_.clear_status();
  context_.run(&Kernels::align, context_.upload(frame), layout_, options_, part, scratch_, none,
               patches_, frame_count_ > 0 ? similarities_ : none);
  try {
    context_.check_status("online alignment", ATA_INVALID_ARGUMENT);
  } catch (const Error& error) {
    fail(error.status(), error.what(), " (frame ", frame_count_, ")");
  }
  host_patches_ = context_.download(patches_, /*may_share=*/true);
  if (frame_count_ > 0) {
    host_similarities_ = context_.download(similarities_, /*may_share=*/true);
  }
  ++frame_count_;
  return host_patches_.values<int32_t>();
}

std::span<const float> OnlineAligner::similarities() const {
  return frame_count_ > 1 ? host_similarities_.values<float>() : std::span<const float>();
}

}  // namespace ata
