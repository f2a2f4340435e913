#ifndef ATA_CUDA_EMULATOR_DEFECTS_H_
#define ATA_CUDA_EMULATOR_DEFECTS_H_

#include <string>

#include "emulator.h"

/// What the emulator finds wrong with the work that it runs.
namespace emu {

/// Where an access was made: named by the dialect, or the address of the instruction behind it.
struct Place {
  Site site = {};
  const void* address = nullptr;
};
/// "file.cu:12", of the innermost function that is not the dialect's own.
std::string to_text(const Place& place);

/// Records the first defect, and ends the launch when called from a kernel's thread; does not come
/// back then. `where` may be empty.
void report_defect(const std::string& what, const Place& where = {});

/// The first defect since the last call, or empty.
std::string take_defect();
bool has_defect();
/// Its text, for as long as the process lives; empty for none.
const char* defect_text();

}  // namespace emu

#endif  // ATA_CUDA_EMULATOR_DEFECTS_H_
