#include "control.h"

#include <cstring>
#include <mutex>
#include <set>
#include <string>

#include "access_counts.h"
#include "cudart.h"
#include "defects.h"
#include "memory.h"
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

long long ata_emulator_calls(const char* function) {
  const std::lock_guard lock(emu::emulator_mutex());
  return emu::calls_of(function);
}

long long ata_emulator_live_blocks() {
  const std::lock_guard lock(emu::emulator_mutex());
  emu::run_all();
  return emu::live_blocks();
}

void* ata_emulator_function(const char* name) {
#define EMU_FUNCTION(function) \
  if (std::strcmp(name, #function) == 0) return reinterpret_cast<void*>(function)
  EMU_FUNCTION(cudaFree);
  EMU_FUNCTION(cudaMalloc);
  EMU_FUNCTION(cudaMallocManaged);
  EMU_FUNCTION(cudaMemcpyAsync);
  EMU_FUNCTION(cudaSetDevice);
  EMU_FUNCTION(cudaStreamCreateWithFlags);
  EMU_FUNCTION(cudaStreamDestroy);
  EMU_FUNCTION(cudaStreamQuery);
  EMU_FUNCTION(cudaStreamSynchronize);
#undef EMU_FUNCTION
  return nullptr;
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
