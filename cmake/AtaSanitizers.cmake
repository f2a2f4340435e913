# ATA_SANITIZE: compile and link flags of the sanitizers, and how test programs run under them.

if(NOT ATA_SANITIZE)
  return()
endif()
target_compile_options(ata_compile_options INTERFACE
  -fsanitize=${ATA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
target_link_options(ata_compile_options INTERFACE -fsanitize=${ATA_SANITIZE})
target_compile_definitions(ata_compile_options INTERFACE ATA_SANITIZED)

# Tests ask for impossible sizes.
set(allocator "allocator_may_return_null=1")
if(ATA_SANITIZE MATCHES "thread")
  # An emulator is what CTest puts before a test's command; here it sets the environment. What
  # libraries without instrumentation do among themselves is ignored.
  string(CONCAT tsan_options "ignore_noninstrumented_modules=1:halt_on_error=1:"
    "second_deadlock_stack=1:${allocator}")
  set(CMAKE_CROSSCOMPILING_EMULATOR env "TSAN_OPTIONS=${tsan_options}")
else()
  set(CMAKE_CROSSCOMPILING_EMULATOR env "UBSAN_OPTIONS=print_stacktrace=1"
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:${allocator}")
endif()
