#include "model/temporal_block.h"

#include "api/alignment_options.h"
#include "api/boundary.h"
#include "base/threads.h"
#include "ops/devices.h"

using ata::api::brought_to_host;
using ata::api::guard;
using ata::api::init_options;
using ata::api::make_handle;
using ata::api::options_or_default;
using ata::api::require_enum;
using ata::api::require_pointer;
using ata::api::tensor_for;
using ata::api::thread_limit;

struct ata_temporal_block {
  ata::TemporalBlock block;
  /// For ThreadLimit.
  int threads = 0;
};

ata_status ata_temporal_block_options_init(ata_temporal_block_options* options,
                                           size_t struct_size) noexcept {
  return init_options(options, struct_size, ata_temporal_block_options{},
                      "ata_temporal_block_options");
}

ata_status ata_temporal_block_create(int64_t channels, const ata_temporal_block_options* options,
                                     const ata_alignment_options* alignment,
                                     ata_temporal_block** block) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    const ata_temporal_block_options given =
        options_or_default(options, ata_temporal_block_options{}, "ata_temporal_block_options");
    require_enum(given.precision, ATA_PRECISION_BF16, "ata_temporal_block_options.precision");
    ata::TemporalBlockOptions result;
    result.channels = channels;
    result.heads = given.heads;
    const ata::api::GivenAlignment aligned = ata::api::alignment_options(alignment);
    result.alignment = aligned.options;
    result.precision = given.precision;
    result.device = &ata::api::device_named(given.device);
    ata::require(aligned.device == nullptr || &ata::device_by_name(aligned.device) == result.device,
                 "ata_alignment_options.device is '",
                 aligned.device != nullptr ? aligned.device : "", "', and the block runs on '",
                 result.device->info().name, "'; leave it NULL, or name the block's");
    result.seed = given.seed;
    const int threads = thread_limit(given.threads, "ata_temporal_block_options.threads");
    ata::require(aligned.threads == 0, "ata_alignment_options.threads is ", aligned.threads,
                 ", and a block has one limit; leave it 0, and set "
                 "ata_temporal_block_options.threads");
    const ata::ThreadLimit limit(threads);
    *block = new ata_temporal_block{ata::TemporalBlock(result), threads};
  });
}

void ata_temporal_block_release(ata_temporal_block* block) noexcept {
  delete block;
}

ata_status ata_temporal_block_forward(ata_temporal_block* block, const ata_tensor* features,
                                      int32_t for_backward, ata_tensor** output) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(features, "features");
    require_pointer(output, "output");
    const ata::Tensor& input = tensor_for(block->block.device(), features, "features");
    const ata::ThreadLimit limit(block->threads);
    *output = make_handle(block->block.forward(input, for_backward != 0)).release();
  });
}

ata_status ata_temporal_block_forward_along(ata_temporal_block* block, const ata_tensor* features,
                                            const ata_tensor* trajectories, int32_t for_backward,
                                            ata_tensor** output) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(features, "features");
    require_pointer(trajectories, "trajectories");
    require_pointer(output, "output");
    const ata::Tensor& input = tensor_for(block->block.device(), features, "features");
    const ata::Tensor paths = brought_to_host(block->block.device(), trajectories, "trajectories");
    const ata::ThreadLimit limit(block->threads);
    *output = make_handle(block->block.forward_along(input, paths, for_backward != 0)).release();
  });
}

ata_status ata_temporal_block_backward(ata_temporal_block* block, const ata_tensor* gradient,
                                       ata_tensor** features_gradient) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(gradient, "gradient");
    require_pointer(features_gradient, "features_gradient");
    const ata::Tensor& input = tensor_for(block->block.device(), gradient, "gradient");
    const ata::ThreadLimit limit(block->threads);
    *features_gradient = make_handle(block->block.backward(input)).release();
  });
}

size_t ata_temporal_block_parameter_count(const ata_temporal_block* block) noexcept {
  return block ? block->block.parameters().count() : 0;
}

ata_status ata_temporal_block_get_parameter_name(const ata_temporal_block* block, size_t index,
                                                 const char** name) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(name, "name");
    const ata::ParameterSet& parameters = block->block.parameters();
    ata::require(index < parameters.count(), "index is ", index, "; the block has ",
                 parameters.count(), " parameters");
    *name = parameters.name(index).c_str();
  });
}

ata_status ata_temporal_block_get_parameter(const ata_temporal_block* block, const char* name,
                                            ata_tensor** parameter) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(name, "name");
    require_pointer(parameter, "parameter");
    *parameter = make_handle(block->block.parameters().tensor(name)).release();
  });
}

ata_status ata_temporal_block_get_gradient(const ata_temporal_block* block, const char* name,
                                           ata_tensor** gradient) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(name, "name");
    require_pointer(gradient, "gradient");
    *gradient = make_handle(block->block.gradient(name)).release();
  });
}

ata_status ata_temporal_block_get_trajectories(const ata_temporal_block* block,
                                               ata_tensor** trajectories) noexcept {
  return guard([&] {
    require_pointer(block, "block");
    require_pointer(trajectories, "trajectories");
    *trajectories = make_handle(block->block.trajectories()).release();
  });
}
