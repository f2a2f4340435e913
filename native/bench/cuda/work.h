#ifndef ATA_BENCH_CUDA_WORK_H_
#define ATA_BENCH_CUDA_WORK_H_

#include "backend/kernel_names.h"

namespace ata::bench {

/// The least that a call of a kernel entry has to do, whoever does it.
struct Work {
  /// Each argument that is needed, read from memory once; each result, written once; what is added
  /// to, both. What an implementation needs for a while is not among it.
  double bytes = 0;
  /// Multiplications and additions of products, with bf16 factors and with f32 ones. What is done
  /// element by element is not counted: it takes less time than moving the elements.
  double bf16_operations = 0;
  double f32_operations = 0;

  double operations() const { return bf16_operations + f32_operations; }
  Work& operator+=(const Work& other);
};

/// What a GPU does in a second at most.
struct Ceilings {
  double bytes;
  double bf16_operations;
  double f32_operations;
};
/// Of an H200: memory and bf16 as measured on one by a copy of its memory and by cuBLASLt's product
/// of 8192 x 8192 matrices, f32 from NVIDIA's datasheet.
inline constexpr Ceilings kH200 = {4.3e12, 790e12, 67e12};

/// Seconds that work takes at least: its memory's, or its products', whichever are more.
double bound(const Work& work, const Ceilings& ceilings);

template <typename Entry>
struct WorkOf;
template <typename Result, typename... Parameters>
struct WorkOf<Result (*)(Stream&, Parameters...)> {
  using Function = Work(Parameters...);
};

/// The work of a call of each entry, from its arguments' shapes. What depends on values is not
/// counted: the searches of `align` and `assign`.
namespace work {
#define ATA_DECLARE(name) WorkOf<decltype(Kernels::name)>::Function name;
ATA_KERNEL_NAMES(ATA_DECLARE)
#undef ATA_DECLARE
}  // namespace work

}  // namespace ata::bench

#endif  // ATA_BENCH_CUDA_WORK_H_
