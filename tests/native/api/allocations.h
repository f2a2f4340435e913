#ifndef ATA_TESTS_API_ALLOCATIONS_H_
#define ATA_TESTS_API_ALLOCATIONS_H_

#include <cstdint>

/// Whether allocations are counted: not under sanitizers, whose operators stay in place.
#if defined(ATA_SANITIZED)
constexpr bool kAllocationsAreCounted = false;
#else
constexpr bool kAllocationsAreCounted = true;
#endif

/// How often any thread of this program and of the libraries it loads has called operator new.
int64_t allocation_count();

#endif  // ATA_TESTS_API_ALLOCATIONS_H_
