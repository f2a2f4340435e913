#ifndef ATA_TESTS_API_HANDLES_H_
#define ATA_TESTS_API_HANDLES_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>

#include "ata/ata.h"

/// Releases a handle of the C API by its own function.
struct Release {
  void operator()(ata_tensor* tensor) const { ata_tensor_release(tensor); }
  void operator()(ata_model* model) const { ata_model_release(model); }
  void operator()(ata_session* session) const { ata_session_release(session); }
  void operator()(ata_trainer* trainer) const { ata_trainer_release(trainer); }
  void operator()(ata_cancellation* flag) const { ata_cancellation_release(flag); }
  void operator()(ata_assigner* assigner) const { ata_assigner_release(assigner); }
  void operator()(ata_temporal_block* block) const { ata_temporal_block_release(block); }
  void operator()(ata_online_aligner* aligner) const { ata_online_aligner_release(aligner); }
};
template <typename T>
using Handle = std::unique_ptr<T, Release>;

/// Of a model that runs in milliseconds: clips of 3 frames of 32 pixels, 5 classes.
inline ata_model_config small_config() {
  ata_model_config config;
  EXPECT_EQ(ata_model_config_init("vit-tiny", &config, sizeof(config)), ATA_OK);
  config.image_size = 32;
  config.backbone = R"({"patch_size": 8, "dim": 48, "depth": 2, "heads": 4})";
  config.frames = 3;
  config.classes = 5;
  return config;
}

inline ata_tensor_info info_of(const ata_tensor* tensor) {
  ata_tensor_info info = {};
  info.struct_size = sizeof(info);
  EXPECT_EQ(ata_tensor_get_info(tensor, &info), ATA_OK) << ata_last_error();
  return info;
}

/// Says what ata_tensor_wrap() is to wrap.
inline ata_tensor_info describe(void* data, size_t size, ata_dtype dtype,
                                std::span<const int64_t> shape) {
  ata_tensor_info info = {};
  info.struct_size = sizeof(info);
  info.data = data;
  info.size = size;
  info.dtype = dtype;
  info.rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), info.shape);
  return info;
}

/// A tensor over memory that outlives it.
inline Handle<ata_tensor> wrap(void* data, size_t size, ata_dtype dtype,
                               std::initializer_list<int64_t> shape) {
  const ata_tensor_info info = describe(data, size, dtype, {shape.begin(), shape.size()});
  ata_tensor* tensor = nullptr;
  EXPECT_EQ(ata_tensor_wrap(&info, nullptr, nullptr, &tensor), ATA_OK) << ata_last_error();
  return Handle<ata_tensor>(tensor);
}

#endif  // ATA_TESTS_API_HANDLES_H_
