/// @file temporal_block.hpp
/// Part of ata.hpp: temporal attention for other backbones.
#ifndef ATA_TEMPORAL_BLOCK_HPP_
#define ATA_TEMPORAL_BLOCK_HPP_

#include <ata/library.hpp>
#include <ata/tensor.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ata {
inline namespace hpp1 {

/// Attention over time along trajectories, to plug into any image backbone; see ata_temporal_block.
/// One thread at a time.
class TemporalBlock {
 public:
  /// For patches of `channels` channels; see ata_temporal_block_create().
  explicit TemporalBlock(
      int64_t channels,
      const ata_temporal_block_options& options = defaults<ata_temporal_block_options>(),
      const ata_alignment_options& alignment = defaults<ata_alignment_options>())
      : handle_(detail::make<ata_temporal_block>([&](ata_temporal_block** out) {
          return ata_temporal_block_create(channels, &options, &alignment, out);
        })) {}

  /// Attention over time.
  /// @param features f32 `[B, T, N, D]`, or feature maps `[B, T, D, H, W]`.
  /// @param for_backward Keep what backward() needs.
  /// @return The features in the shape in which they came, on the device from which they came.
  Tensor forward(const Tensor& features, bool for_backward = false) {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_temporal_block_forward(handle_.get(), features.get(), for_backward ? 1 : 0, out);
    }));
  }

  /// The same along trajectories i32 `[B, T, N]` that are given, instead of aligning the features;
  /// see ata_temporal_block_forward_along().
  Tensor forward_along(const Tensor& features, const Tensor& trajectories,
                       bool for_backward = false) {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_temporal_block_forward_along(handle_.get(), features.get(), trajectories.get(),
                                              for_backward ? 1 : 0, out);
    }));
  }

  /// The gradient of the features of the last forward, from that of its result; once.
  Tensor backward(const Tensor& gradient) {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_temporal_block_backward(handle_.get(), gradient.get(), out);
    }));
  }

  /// `temporal_norm1.weight` and so on.
  std::vector<std::string> parameter_names() const {
    std::vector<std::string> names(ata_temporal_block_parameter_count(handle_.get()));
    for (size_t i = 0; i < names.size(); ++i) {
      const char* name = nullptr;
      detail::check(ata_temporal_block_get_parameter_name(handle_.get(), i, &name));
      names[i] = name;
    }
    return names;
  }

  /// A parameter, sharing the block's memory on its device: writing to it, between a backward and
  /// the next forward, changes the block (Tensor::copy_into() does so on any device).
  Tensor parameter(const std::string& name) {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_temporal_block_get_parameter(handle_.get(), name.c_str(), out);
    }));
  }

  /// A parameter's gradient, from the last backward().
  Tensor gradient(const std::string& name) const {
    return Tensor(detail::make<ata_tensor>([&](ata_tensor** out) {
      return ata_temporal_block_get_gradient(handle_.get(), name.c_str(), out);
    }));
  }

  /// Trajectories i32 `[B, T, N]` of the last forward().
  Tensor trajectories() const {
    return Tensor(detail::make<ata_tensor>(
        [&](ata_tensor** out) { return ata_temporal_block_get_trajectories(handle_.get(), out); }));
  }

  /// The handle, for functions of the C API; it stays this object's.
  ata_temporal_block* get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<ata_temporal_block, ata_temporal_block_release> handle_;
};

}  // namespace hpp1
}  // namespace ata

#endif  // ATA_TEMPORAL_BLOCK_HPP_
