#ifndef ATA_CUDA_EMULATOR_MEMORY_H_
#define ATA_CUDA_EMULATOR_MEMORY_H_

#include <cstddef>
#include <cstdint>

/// The emulated GPU's memory: one range of the process's addresses, which the host cannot touch
/// while no work runs. A block that was freed comes back last of all where accesses are checked, so
/// that whoever still uses it is found.
namespace emu {

/// What is known of a byte, where accesses are checked.
enum class ByteState : uint8_t {
  kNone,       // of no allocation
  kUnwritten,  // allocated, and nobody wrote it
  kWritten,
  kInFlight,  // an asynchronous copy may write it at any moment
};

/// Null when no room is left in the range of addresses.
void* device_malloc(size_t bytes);
/// False if no allocation begins there.
bool device_free(void* pointer);

struct DeviceBlock {
  char* base = nullptr;
  size_t size = 0;
};
/// The allocation that an address lies in; a null base for none.
DeviceBlock block_at(const void* address);
/// Whether an address is the GPU's at all.
bool is_device_address(const void* address);
/// How many allocations there are.
long long live_blocks();
/// The range of addresses in use so far.
char* device_base();
size_t device_extent();

/// The states of the bytes from `address` on. Only where accesses are checked.
ByteState* device_states(const void* address);

/// While one lives, this process can touch the GPU's memory. Under the emulator's lock.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

/// Copies and fills that a stream runs, of memory of any kind. They report defects.
void copy_bytes(void* to, const void* from, size_t bytes);
void fill_bytes(void* to, int byte, size_t bytes);

/// Memory of the host that the GPU can reach: pinned.
void* host_malloc(size_t bytes);
bool host_free(void* pointer);
DeviceBlock host_block_at(const void* address);

/// Address space without memory behind it until it is touched.
void* reserve(size_t bytes, bool accessible);

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_MEMORY_H_
