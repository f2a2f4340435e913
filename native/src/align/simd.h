// What every Highway file of this room needs before it includes <hwy/foreach_target.h>. Vectors
// whose length is unknown at compile time cannot be members of arrays, which the kernels here rely
// on.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
