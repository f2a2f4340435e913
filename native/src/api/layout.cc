// The table that lets bindings verify their structs against this build, and what it says of the
// structs of callers that were built for another release.

#include <cstddef>
#include <cstring>

#include "api/boundary.h"

#define ATA_STRUCT(type) \
  { #type, nullptr, 0, sizeof(type) }
#define ATA_FIELD(type, field) \
  { #type, #field, offsetof(type, field), sizeof(type::field) }

namespace {

const ata_abi_entry kLayout[] = {
    ATA_STRUCT(ata_abi_entry),
    ATA_FIELD(ata_abi_entry, struct_name),
    ATA_FIELD(ata_abi_entry, field_name),
    ATA_FIELD(ata_abi_entry, offset),
    ATA_FIELD(ata_abi_entry, size),

    ATA_STRUCT(ata_device_info),
    ATA_FIELD(ata_device_info, struct_size),
    ATA_FIELD(ata_device_info, name),
    ATA_FIELD(ata_device_info, description),
    ATA_FIELD(ata_device_info, driver),
    ATA_FIELD(ata_device_info, reason),
    ATA_FIELD(ata_device_info, total_bytes),
    ATA_FIELD(ata_device_info, free_bytes),
    ATA_FIELD(ata_device_info, live_bytes),
    ATA_FIELD(ata_device_info, peak_bytes),
    ATA_FIELD(ata_device_info, available),
    ATA_FIELD(ata_device_info, reserved),
    ATA_FIELD(ata_device_info, libraries),

    ATA_STRUCT(ata_tensor_info),
    ATA_FIELD(ata_tensor_info, struct_size),
    ATA_FIELD(ata_tensor_info, data),
    ATA_FIELD(ata_tensor_info, size),
    ATA_FIELD(ata_tensor_info, dtype),
    ATA_FIELD(ata_tensor_info, rank),
    ATA_FIELD(ata_tensor_info, shape),
    ATA_FIELD(ata_tensor_info, strides),
    ATA_FIELD(ata_tensor_info, device),
    ATA_FIELD(ata_tensor_info, read_only),
    ATA_FIELD(ata_tensor_info, reserved),

    ATA_STRUCT(ata_alignment_options),
    ATA_FIELD(ata_alignment_options, struct_size),
    ATA_FIELD(ata_alignment_options, method),
    ATA_FIELD(ata_alignment_options, window_radius),
    ATA_FIELD(ata_alignment_options, temperature),
    ATA_FIELD(ata_alignment_options, iterations),
    ATA_FIELD(ata_alignment_options, grid_height),
    ATA_FIELD(ata_alignment_options, grid_width),
    ATA_FIELD(ata_alignment_options, device),
    ATA_FIELD(ata_alignment_options, threads),

    ATA_STRUCT(ata_assign_options),
    ATA_FIELD(ata_assign_options, struct_size),
    ATA_FIELD(ata_assign_options, maximize),
    ATA_FIELD(ata_assign_options, polish),
    ATA_FIELD(ata_assign_options, certify),
    ATA_FIELD(ata_assign_options, device),
    ATA_FIELD(ata_assign_options, threads),

    ATA_STRUCT(ata_mi_options),
    ATA_FIELD(ata_mi_options, struct_size),
    ATA_FIELD(ata_mi_options, estimator),
    ATA_FIELD(ata_mi_options, components),
    ATA_FIELD(ata_mi_options, neighbours),
    ATA_FIELD(ata_mi_options, max_pairs),
    ATA_FIELD(ata_mi_options, threads),

    ATA_STRUCT(ata_model_config),
    ATA_FIELD(ata_model_config, struct_size),
    ATA_FIELD(ata_model_config, architecture),
    ATA_FIELD(ata_model_config, backbone),
    ATA_FIELD(ata_model_config, image_size),
    ATA_FIELD(ata_model_config, frames),
    ATA_FIELD(ata_model_config, classes),
    ATA_FIELD(ata_model_config, temporal),
    ATA_FIELD(ata_model_config, alignment),
    ATA_FIELD(ata_model_config, align_every),
    ATA_FIELD(ata_model_config, window_radius),
    ATA_FIELD(ata_model_config, temperature),
    ATA_FIELD(ata_model_config, iterations),
    ATA_FIELD(ata_model_config, mean),
    ATA_FIELD(ata_model_config, std),

    ATA_STRUCT(ata_model_dimensions),
    ATA_FIELD(ata_model_dimensions, struct_size),
    ATA_FIELD(ata_model_dimensions, dim),
    ATA_FIELD(ata_model_dimensions, depth),
    ATA_FIELD(ata_model_dimensions, grid),
    ATA_FIELD(ata_model_dimensions, patches),
    ATA_FIELD(ata_model_dimensions, parameter_count),

    ATA_STRUCT(ata_model_options),
    ATA_FIELD(ata_model_options, struct_size),
    ATA_FIELD(ata_model_options, device),
    ATA_FIELD(ata_model_options, precision),
    ATA_FIELD(ata_model_options, temporal),
    ATA_FIELD(ata_model_options, alignment),
    ATA_FIELD(ata_model_options, align_every),
    ATA_FIELD(ata_model_options, window_radius),
    ATA_FIELD(ata_model_options, temperature),
    ATA_FIELD(ata_model_options, iterations),
    ATA_FIELD(ata_model_options, frames),
    ATA_FIELD(ata_model_options, image_size),
    ATA_FIELD(ata_model_options, bicubic_positions),
    ATA_FIELD(ata_model_options, trainable),

    ATA_STRUCT(ata_import_options),
    ATA_FIELD(ata_import_options, struct_size),
    ATA_FIELD(ata_import_options, source),
    ATA_FIELD(ata_import_options, frames),
    ATA_FIELD(ata_import_options, temporal),
    ATA_FIELD(ata_import_options, classes),
    ATA_FIELD(ata_import_options, heads),
    ATA_FIELD(ata_import_options, seed),
    ATA_FIELD(ata_import_options, random_times),
    ATA_FIELD(ata_import_options, image_size),
    ATA_FIELD(ata_import_options, positions),
    ATA_FIELD(ata_import_options, activation),
    ATA_FIELD(ata_import_options, norm_eps),
    ATA_FIELD(ata_import_options, mean),
    ATA_FIELD(ata_import_options, std),
    ATA_FIELD(ata_import_options, key),
    ATA_FIELD(ata_import_options, ignore),
    ATA_FIELD(ata_import_options, ignore_count),
    ATA_FIELD(ata_import_options, tensors_only),
    ATA_FIELD(ata_import_options, device),

    ATA_STRUCT(ata_session_options),
    ATA_FIELD(ata_session_options, struct_size),
    ATA_FIELD(ata_session_options, stream),
    ATA_FIELD(ata_session_options, threads),
    ATA_STRUCT(ata_session_outputs),
    ATA_FIELD(ata_session_outputs, struct_size),
    ATA_FIELD(ata_session_outputs, logits),
    ATA_FIELD(ata_session_outputs, logits_count),
    ATA_FIELD(ata_session_outputs, class_token),
    ATA_FIELD(ata_session_outputs, class_token_count),
    ATA_FIELD(ata_session_outputs, feature_blocks),
    ATA_FIELD(ata_session_outputs, feature_block_count),
    ATA_FIELD(ata_session_outputs, features),
    ATA_FIELD(ata_session_outputs, features_count),
    ATA_FIELD(ata_session_outputs, trajectory_blocks),
    ATA_FIELD(ata_session_outputs, trajectory_block_count),
    ATA_FIELD(ata_session_outputs, trajectories),
    ATA_FIELD(ata_session_outputs, trajectories_count),

    ATA_STRUCT(ata_temporal_block_options),
    ATA_FIELD(ata_temporal_block_options, struct_size),
    ATA_FIELD(ata_temporal_block_options, device),
    ATA_FIELD(ata_temporal_block_options, precision),
    ATA_FIELD(ata_temporal_block_options, heads),
    ATA_FIELD(ata_temporal_block_options, seed),
    ATA_FIELD(ata_temporal_block_options, threads),

    ATA_STRUCT(ata_train_options),
    ATA_FIELD(ata_train_options, struct_size),
    ATA_FIELD(ata_train_options, optimizer),
    ATA_FIELD(ata_train_options, beta1),
    ATA_FIELD(ata_train_options, beta2),
    ATA_FIELD(ata_train_options, epsilon),
    ATA_FIELD(ata_train_options, momentum),
    ATA_FIELD(ata_train_options, nesterov),
    ATA_FIELD(ata_train_options, weight_decay),
    ATA_FIELD(ata_train_options, layer_decay),
    ATA_FIELD(ata_train_options, new_parameter_scale),
    ATA_FIELD(ata_train_options, new_parameters),
    ATA_FIELD(ata_train_options, frozen),
    ATA_FIELD(ata_train_options, clip_norm),
    ATA_FIELD(ata_train_options, label_smoothing),
    ATA_FIELD(ata_train_options, stochastic_depth),
    ATA_FIELD(ata_train_options, dropout),
    ATA_FIELD(ata_train_options, ema_decay),
    ATA_FIELD(ata_train_options, precision),
    ATA_FIELD(ata_train_options, recompute),
    ATA_FIELD(ata_train_options, seed),
    ATA_FIELD(ata_train_options, threads),

    ATA_STRUCT(ata_video_options),
    ATA_FIELD(ata_video_options, struct_size),
    ATA_FIELD(ata_video_options, folder_fps),
    ATA_FIELD(ata_video_options, threads),
    ATA_FIELD(ata_video_options, keep_bytes),

    ATA_STRUCT(ata_video_info),
    ATA_FIELD(ata_video_info, struct_size),
    ATA_FIELD(ata_video_info, width),
    ATA_FIELD(ata_video_info, height),
    ATA_FIELD(ata_video_info, fps),
    ATA_FIELD(ata_video_info, duration),
    ATA_FIELD(ata_video_info, frame_count),
    ATA_FIELD(ata_video_info, rotation),
    ATA_FIELD(ata_video_info, bit_depth),
    ATA_FIELD(ata_video_info, codec),

    ATA_STRUCT(ata_clip_options),
    ATA_FIELD(ata_clip_options, struct_size),
    ATA_FIELD(ata_clip_options, sampling),
    ATA_FIELD(ata_clip_options, frames),
    ATA_FIELD(ata_clip_options, stride),
    ATA_FIELD(ata_clip_options, fps),
    ATA_FIELD(ata_clip_options, offset),
    ATA_FIELD(ata_clip_options, clip_index),
    ATA_FIELD(ata_clip_options, clip_count),
    ATA_FIELD(ata_clip_options, short_policy),
    ATA_FIELD(ata_clip_options, resize),
    ATA_FIELD(ata_clip_options, size),
    ATA_FIELD(ata_clip_options, crop_index),
    ATA_FIELD(ata_clip_options, crop_count),
    ATA_FIELD(ata_clip_options, crop_rectangle),
    ATA_FIELD(ata_clip_options, flip),
    ATA_FIELD(ata_clip_options, interpolation),
    ATA_FIELD(ata_clip_options, mean),
    ATA_FIELD(ata_clip_options, std),
    ATA_FIELD(ata_clip_options, interval_start),
    ATA_FIELD(ata_clip_options, interval_end),

    ATA_STRUCT(ata_frame_layout),
    ATA_FIELD(ata_frame_layout, struct_size),
    ATA_FIELD(ata_frame_layout, format),
    ATA_FIELD(ata_frame_layout, width),
    ATA_FIELD(ata_frame_layout, height),
    ATA_FIELD(ata_frame_layout, matrix),
    ATA_FIELD(ata_frame_layout, range),
    ATA_FIELD(ata_frame_layout, reserved),
    ATA_FIELD(ata_frame_layout, fps),
    ATA_FIELD(ata_frame_layout, strides),
};

// No struct will have more; what claims to is not initialised.
constexpr size_t kLargestStruct = 4096;

}  // namespace

size_t ata::api::shared_size(size_t struct_size, size_t known, const char* type) {
  require(struct_size > sizeof(size_t) && struct_size <= kLargestStruct, type, ".struct_size is ",
          struct_size, ", which no version of the struct has; set it to sizeof(", type, "), ",
          known, " here");
  if (struct_size >= known) return known;
  for (const ata_abi_entry& entry : kLayout) {
    if (entry.field_name == nullptr || std::strcmp(entry.struct_name, type) != 0) continue;
    require(struct_size <= entry.offset || struct_size >= entry.offset + entry.size, type,
            ".struct_size is ", struct_size, ", which ends within its field ", entry.field_name,
            "; set it to sizeof(", type, "), ", known, " here");
  }
  return struct_size;
}

size_t ata::api::shared_size_of(const void* given, size_t known, const char* type) {
  size_t struct_size = 0;
  std::memcpy(&struct_size, given, sizeof(struct_size));
  const size_t shared = shared_size(struct_size, known, type);
  const auto* bytes = static_cast<const unsigned char*>(given);
  for (size_t i = shared; i < struct_size; ++i) {
    require(bytes[i] == 0, type, " has ", struct_size, " bytes, of which this library (",
            ata_version(), ") knows ", known, ", and byte ", i,
            " is not zero; use the release that the caller was built for, or leave it zero");
  }
  return shared;
}

void ata::api::copy_fields(const void* from, size_t size, void* to, const char* type) {
  for (const ata_abi_entry& entry : kLayout) {
    if (entry.field_name == nullptr || std::strcmp(entry.struct_name, type) != 0) continue;
    if (entry.offset + entry.size > size) continue;
    std::memcpy(static_cast<char*>(to) + entry.offset,
                static_cast<const char*>(from) + entry.offset, entry.size);
  }
}

const ata_abi_entry* ata_abi_layout(size_t* count) noexcept {
  if (count) *count = sizeof(kLayout) / sizeof(kLayout[0]);
  return kLayout;
}
