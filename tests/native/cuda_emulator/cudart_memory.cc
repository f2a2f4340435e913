// Stands in for the CUDA runtime: memory, its pools, copies and fills.
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "cudart.h"
#include "defects.h"
#include "memory.h"

// What a pool has handed out, and what it keeps for later besides.
struct CUmemPoolHandle_st {
  int device = 0;
  uint64_t threshold = 0;
  uint64_t used = 0, used_high = 0;
  uint64_t reserved = 0, reserved_high = 0;

  void take(uint64_t bytes) {
    used += bytes;
    used_high = std::max(used_high, used);
    reserved = std::max(reserved, used);
    reserved_high = std::max(reserved_high, reserved);
  }
  void trim(uint64_t keep) { reserved = std::max(used, std::min(reserved, keep)); }
};

namespace emu {
namespace {

struct Pools {
  std::vector<cudaMemPool_t> all;
  cudaMemPool_t default_pool = nullptr;
  uint64_t plain = 0;  // bytes of cudaMalloc
  struct Owner {
    cudaMemPool_t pool;  // null for cudaMalloc
    size_t bytes;
    int device;
    bool managed = false;
    bool freeing = false;  // its turn is still to come
  };
  std::map<void*, Owner> owners;
};

Pools& pools() {
  static Pools& pools = *new Pools;
  return pools;
}

uint64_t reserved_bytes() {
  uint64_t total = pools().plain;
  for (const cudaMemPool_t pool : pools().all) total += pool->reserved;
  return total;
}

bool is_pool(cudaMemPool_t pool) {
  return std::find(pools().all.begin(), pools().all.end(), pool) != pools().all.end();
}

bool fits(cudaMemPool_t pool, size_t bytes) {
  const uint64_t kept = pool != nullptr ? pool->reserved - pool->used : 0;
  const uint64_t more = bytes - std::min<uint64_t>(bytes, kept);
  const uint64_t taken = reserved_bytes(), all = options().memory;
  return taken <= all && more <= all - taken;
}

cudaError_t allocate(void** pointer, size_t bytes, cudaMemPool_t pool) {
  *pointer = nullptr;
  if (bytes == 0) {
    if (pool == nullptr) return cudaSuccess;
    return failed(cudaErrorInvalidValue, "an allocation of no bytes from a pool");
  }
  // Blocks may be on their way back.
  if (!fits(pool, bytes)) run_all();
  void* const block = fits(pool, bytes) ? device_malloc(bytes) : nullptr;
  if (block == nullptr) return failed(cudaErrorMemoryAllocation);
  pools().owners[block] = {pool, bytes, pool != nullptr ? pool->device : thread_device()};
  if (pool != nullptr) {
    pool->take(bytes);
  } else {
    pools().plain += bytes;
  }
  *pointer = block;
  return cudaSuccess;
}

void release(void* pointer) {
  const auto found = pools().owners.find(pointer);
  const cudaMemPool_t pool = found->second.pool;
  const size_t bytes = found->second.bytes;
  pools().owners.erase(found);
  device_free(pointer);
  if (pool == nullptr) {
    pools().plain -= bytes;
    return;
  }
  pool->used -= bytes;
  pool->trim(pool->threshold);
}

// Marks a block as given back; an error if nobody has it.
cudaError_t give_up(void* pointer) {
  const auto found = pools().owners.find(pointer);
  if (found == pools().owners.end() || found->second.freeing) {
    return failed(cudaErrorInvalidValue, "memory that is not, or no longer, allocated is freed");
  }
  found->second.freeing = true;
  return cudaSuccess;
}

// One side of a copy: inside one allocation of the GPU, or not the GPU's at all.
cudaError_t check_range(const void* pointer, size_t bytes, bool device, bool known,
                        const char* side) {
  if (!is_device_address(pointer)) {
    if (device && known) {
      return failed(cudaErrorInvalidValue,
                    std::string(side) + " of a copy is memory of the host, not of the device");
    }
    const DeviceBlock pinned = host_block_at(pointer);
    if (pinned.base != nullptr &&
        bytes >
            pinned.size - static_cast<size_t>(static_cast<const char*>(pointer) - pinned.base)) {
      return failed(cudaErrorInvalidValue,
                    std::string(side) + " of a copy leaves its pinned memory");
    }
    return cudaSuccess;
  }
  if (known && !device) {
    return failed(cudaErrorInvalidValue,
                  std::string(side) + " of a copy is memory of the device, not of the host");
  }
  const DeviceBlock block = block_at(pointer);
  if (block.base == nullptr ||
      bytes > block.size - static_cast<size_t>(static_cast<const char*>(pointer) - block.base)) {
    return failed(cudaErrorInvalidValue, std::string(side) + " of a copy, of " +
                                             std::to_string(bytes) +
                                             " bytes, is not inside an allocation");
  }
  return cudaSuccess;
}

cudaError_t check_copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const bool known = kind != cudaMemcpyDefault;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const cudaError_t error = check_range(to, bytes, to_device, known, "the target");
  return error != cudaSuccess ? error : check_range(from, bytes, from_device, known, "the source");
}

void run_copy(void* to, const void* from, size_t bytes) {
  if (!has_defect()) copy_bytes(to, from, bytes);
}

}  // namespace
}  // namespace emu

extern "C" {

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  EMU_CALL(cudaErrorUnknown);
  *total = emu::options().memory;
  *free = *total - std::min<uint64_t>(*total, emu::reserved_bytes());
  return cudaSuccess;
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  EMU_CALL(cudaErrorMemoryAllocation);
  if (properties == nullptr || properties->allocType != cudaMemAllocationTypePinned ||
      properties->location.type != cudaMemLocationTypeDevice) {
    return emu::failed(cudaErrorInvalidValue, "a pool of other than a device's memory");
  }
  *pool = new CUmemPoolHandle_st{.device = properties->location.id};
  emu::pools().all.push_back(*pool);
  return cudaSuccess;
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  EMU_CALL(cudaErrorUnknown);
  if (!emu::is_pool(pool)) return emu::failed(cudaErrorInvalidValue, "no such pool");
  emu::run_all();
  if (pool->used > 0) {
    return emu::failed(cudaErrorInvalidValue, "a pool is destroyed while its memory is in use");
  }
  std::erase(emu::pools().all, pool);
  delete pool;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  EMU_CALL(cudaErrorUnknown);
  auto& pools = emu::pools();
  if (pools.default_pool == nullptr) {
    pools.default_pool = new CUmemPoolHandle_st;
    pools.all.push_back(pools.default_pool);
  }
  *pool = pools.default_pool;
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  EMU_CALL(cudaErrorInvalidValue);
  if (!emu::is_pool(pool)) return emu::failed(cudaErrorInvalidValue, "no such pool");
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold:
      pool->threshold = *static_cast<const uint64_t*>(value);
      return cudaSuccess;
    case cudaMemPoolAttrUsedMemHigh:
      pool->used_high = pool->used;
      return cudaSuccess;
    case cudaMemPoolAttrReservedMemHigh:
      pool->reserved_high = pool->reserved;
      return cudaSuccess;
    case cudaMemPoolReuseFollowEventDependencies:
    case cudaMemPoolReuseAllowOpportunistic:
    case cudaMemPoolReuseAllowInternalDependencies:
      return cudaSuccess;
    default:
      return emu::failed(cudaErrorInvalidValue, "an attribute of pools that cannot be set");
  }
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  EMU_CALL(cudaErrorInvalidValue);
  if (!emu::is_pool(pool)) return emu::failed(cudaErrorInvalidValue, "no such pool");
  auto& number = *static_cast<uint64_t*>(value);
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold:
      number = pool->threshold;
      return cudaSuccess;
    case cudaMemPoolAttrUsedMemCurrent:
      number = pool->used;
      return cudaSuccess;
    case cudaMemPoolAttrUsedMemHigh:
      number = pool->used_high;
      return cudaSuccess;
    case cudaMemPoolAttrReservedMemCurrent:
      number = pool->reserved;
      return cudaSuccess;
    case cudaMemPoolAttrReservedMemHigh:
      number = pool->reserved_high;
      return cudaSuccess;
    default:
      return emu::failed(cudaErrorInvalidValue, "an attribute of pools that is not emulated");
  }
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t keep) {
  EMU_CALL(cudaErrorUnknown);
  if (!emu::is_pool(pool)) return emu::failed(cudaErrorInvalidValue, "no such pool");
  pool->trim(keep);
  return cudaSuccess;
}

cudaError_t cudaMallocFromPoolAsync(void** pointer, size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream) {
  EMU_CALL(cudaErrorMemoryAllocation);
  EMU_STREAM(stream);
  if (!emu::is_pool(pool)) return emu::failed(cudaErrorInvalidValue, "no such pool");
  if (stream->capture) {
    return emu::failed(cudaErrorStreamCaptureUnsupported,
                       "the emulated GPU's graphs allocate no memory");
  }
  return emu::allocate(pointer, bytes, pool);
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
  EMU_CALL(cudaErrorMemoryAllocation);
  cudaMemPool_t pool = nullptr;
  const cudaError_t error = cudaDeviceGetDefaultMemPool(&pool, 0);
  return error != cudaSuccess ? error : cudaMallocFromPoolAsync(pointer, bytes, pool, stream);
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (stream->capture) {
    return emu::failed(cudaErrorStreamCaptureUnsupported,
                       "the emulated GPU's graphs free no memory");
  }
  const cudaError_t error = emu::give_up(pointer);
  if (error != cudaSuccess) return error;
  emu::submit(stream, [pointer] { emu::release(pointer); });
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  EMU_CALL(cudaErrorMemoryAllocation);
  EMU_WAITS();
  return emu::allocate(pointer, bytes, nullptr);
}

cudaError_t cudaMallocManaged(void** pointer, size_t bytes, unsigned) {
  EMU_CALL(cudaErrorMemoryAllocation);
  EMU_WAITS();
  const cudaError_t error = emu::allocate(pointer, bytes, nullptr);
  if (error == cudaSuccess) emu::pools().owners[*pointer].managed = true;
  return error;
}

cudaError_t cudaFree(void* pointer) {
  EMU_CALL(cudaErrorUnknown);
  EMU_WAITS();
  if (pointer == nullptr) return cudaSuccess;
  const cudaError_t error = emu::give_up(pointer);
  if (error != cudaSuccess) return error;
  emu::run_all();
  emu::release(pointer);
  return emu::found_defect();
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  EMU_CALL(cudaErrorMemoryAllocation);
  EMU_WAITS();
  *pointer = emu::host_malloc(bytes);
  return *pointer != nullptr ? cudaSuccess : emu::failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  return cudaMallocHost(pointer, bytes);
}

cudaError_t cudaFreeHost(void* pointer) {
  EMU_CALL(cudaErrorUnknown);
  EMU_WAITS();
  emu::run_all();
  if (pointer == nullptr || emu::host_free(pointer)) return emu::found_defect();
  return emu::failed(cudaErrorInvalidValue, "memory that is not pinned is freed as if it were");
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  EMU_CALL(cudaErrorInvalidValue);
  *attributes = {};
  attributes->device = -1;
  attributes->type = cudaMemoryTypeUnregistered;
  if (const emu::DeviceBlock block = emu::block_at(pointer); block.base != nullptr) {
    const auto& owner = emu::pools().owners.at(block.base);
    attributes->type = owner.managed ? cudaMemoryTypeManaged : cudaMemoryTypeDevice;
    attributes->device = owner.device;
    attributes->devicePointer = const_cast<void*>(pointer);
  } else if (emu::host_block_at(pointer).base != nullptr) {
    attributes->type = cudaMemoryTypeHost;
    attributes->device = 0;
    attributes->devicePointer = attributes->hostPointer = const_cast<void*>(pointer);
  } else {
    attributes->hostPointer = const_cast<void*>(pointer);
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (bytes == 0) return cudaSuccess;
  const cudaError_t error = emu::check_copy(to, from, bytes, kind);
  if (error != cudaSuccess) return error;
  const bool pageable_source =
      !emu::is_device_address(from) && emu::host_block_at(from).base == nullptr;
  const bool pageable_target =
      !emu::is_device_address(to) && emu::host_block_at(to).base == nullptr;
  if (stream->capture && (pageable_source || pageable_target)) {
    stream->capture->invalid = true;
    return emu::failed(cudaErrorStreamCaptureUnsupported,
                       "a copy of memory of the host that is not pinned");
  }
  if (pageable_source) {  // taken before the call returns
    const auto* const bytes_of = static_cast<const char*>(from);
    auto staged = std::make_shared<std::vector<char>>(bytes_of, bytes_of + bytes);
    emu::submit(stream, [=] { emu::run_copy(to, staged->data(), bytes); });
  } else {
    emu::submit(stream, [=] { emu::run_copy(to, from, bytes); });
  }
  if (pageable_target) {  // filled before the call returns
    emu::run_until(emu::end_of(stream));
    return emu::found_defect();
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  EMU_CALL(cudaErrorUnknown);
  EMU_WAITS();
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  return error != cudaSuccess ? error : cudaStreamSynchronize(nullptr);
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  if (width > to_pitch || width > from_pitch) {
    return emu::failed(cudaErrorInvalidValue, "rows of a copy are longer than their pitch");
  }
  for (size_t row = 0; row < height; ++row) {
    const cudaError_t error =
        cudaMemcpyAsync(static_cast<char*>(to) + row * to_pitch,
                        static_cast<const char*>(from) + row * from_pitch, width, kind, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, size_t bytes, cudaStream_t stream) {
  EMU_CALL(cudaErrorUnknown);
  EMU_STREAM(stream);
  if (bytes == 0) return cudaSuccess;
  const cudaError_t error = emu::check_range(to, bytes, true, true, "the target");
  if (error != cudaSuccess) return error;
  emu::submit(stream, [=] {
    if (!emu::has_defect()) emu::fill_bytes(to, byte, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaMemset(void* to, int byte, size_t bytes) {
  EMU_CALL(cudaErrorUnknown);
  EMU_WAITS();
  const cudaError_t error = cudaMemsetAsync(to, byte, bytes, nullptr);
  return error != cudaSuccess ? error : cudaStreamSynchronize(nullptr);
}

}  // extern "C"
