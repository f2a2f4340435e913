#include "cuda/table.h"

#include <utility>

#include "cuda/current_device.h"
#include "cuda/entries.h"
#include "cuda/stream_state.h"

namespace ata::cuda {
namespace {

// An entry, on its stream's GPU.
template <auto Entry>
struct OnDevice;
template <typename Result, typename... Parameters, Result (*Entry)(Stream&, Parameters...)>
struct OnDevice<Entry> {
  static Result run(Stream& stream, Parameters... parameters) {
    const CurrentDevice current(state_of(stream).ordinal());
    return Entry(stream, std::forward<Parameters>(parameters)...);
  }
};
template <auto Entry>
constexpr auto on_device = OnDevice<Entry>::run;

#define ATA_ENTRY(name) .name = on_device<name>,
constexpr Kernels kTable = {.version = kKernelsVersion, ATA_KERNEL_NAMES(ATA_ENTRY)};
#undef ATA_ENTRY

}  // namespace

const Kernels& table() {
  return kTable;
}

}  // namespace ata::cuda
