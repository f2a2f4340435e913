#ifndef ATA_CUDA_EMULATOR_CONTROL_H_
#define ATA_CUDA_EMULATOR_CONTROL_H_

/// What tests ask of the emulated GPU, as functions that a library exports: a test of a plugin
/// finds them there by dlsym. Thread-safe.
#if defined(__cplusplus)
extern "C" {
#endif

#define ATA_EMULATOR_EXPORT __attribute__((visibility("default")))

/// Makes the n-th call of a function from now fail, or every one for n = 0, with an error of the
/// library that it belongs to; `error` 0 for the usual one. "cudaLaunchKernel" stands for the
/// launch of any kernel, a kernel's name (as ATA_LAUNCH has it) for its own.
ATA_EMULATOR_EXPORT void ata_emulator_fail_nth(const char* function, int n, int error);
/// Forgets the failures that are still to come.
ATA_EMULATOR_EXPORT void ata_emulator_fail_none(void);

/// How often a function was called since the process began; named as for failures. What a graph
/// repeats is no call.
ATA_EMULATOR_EXPORT long long ata_emulator_calls(const char* function);
/// Blocks of the GPU's memory that are allocated, after all that is queued.
ATA_EMULATOR_EXPORT long long ata_emulator_live_blocks(void);
/// The stand-in for a function of the runtime that programs call which use the GPU beside the
/// plugin (control.cc lists them); null for another.
ATA_EMULATOR_EXPORT void* ata_emulator_function(const char* name);

/// Sets options, as the environment variable ATA_CUDA_EMULATOR does (README.md).
ATA_EMULATOR_EXPORT void ata_emulator_set_options(const char* options);

/// The first defect that was found, or "": which kernel, which thread, what, and where. Every call
/// of the runtime fails from then on, until this is called. Valid until the process ends.
ATA_EMULATOR_EXPORT const char* ata_emulator_take_defect(void);

/// Begins (1) or stops (0) counting accesses to memory, and forgets what was counted. Only checked
/// kernels are counted.
ATA_EMULATOR_EXPORT void ata_emulator_count(int on);
/// The counts so far, as a table by kernel and place. Valid until the next call.
ATA_EMULATOR_EXPORT const char* ata_emulator_counts(void);

#if defined(__cplusplus)
}
#endif

#endif  // ATA_CUDA_EMULATOR_CONTROL_H_
