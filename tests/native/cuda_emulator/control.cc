#include "control.h"

#include <mutex>
#include <set>
#include <string>

#include "access_counts.h"
#include "cudart.h"
#include "defects.h"
#include "options.h"

extern "C" {

void ata_emulator_fail_nth(const char* function, int n, int error) {
  const std::lock_guard lock(emu::emulator_mutex());
  emu::fail_nth(function, n, error);
}

void ata_emulator_fail_none() {
  const std::lock_guard lock(emu::emulator_mutex());
  emu::fail_none();
}

void ata_emulator_set_options(const char* options) {
  const std::lock_guard lock(emu::emulator_mutex());
  emu::set_options(emu::options(), options);
}

const char* ata_emulator_take_defect() {
  const std::lock_guard lock(emu::emulator_mutex());
  const char* const text = emu::defect_text();
  emu::take_defect();
  emu::forget_errors();
  return text;
}

void ata_emulator_count(int on) {
  const std::lock_guard lock(emu::emulator_mutex());
  emu::set_counting(on != 0);
}

const char* ata_emulator_counts() {
  const std::lock_guard lock(emu::emulator_mutex());
  static auto& table = *new std::string;
  table = emu::access_table();
  return table.c_str();
}

}  // extern "C"
