// The instruction sets that vector code is not compiled for; include before any Highway header.
// On x86 the baseline, AVX2 and AVX-512 remain: levels between add compile time and no speed.
// Vectors whose length is unknown at compile time cannot be members of arrays, which the kernels
// rely on.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
