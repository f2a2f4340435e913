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
  # GCC's OpenMP runtime synchronises in ways ThreadSanitizer cannot see, so every parallel loop
  # would be reported. LLVM's runtime explains its synchronisation to the sanitizer through its
  # tool Archer; what libraries without instrumentation do among themselves is ignored.
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "The threads sanitizer needs Clang and its OpenMP runtime: use "
      "'cmake --preset tsan', or pass -DCMAKE_CXX_COMPILER=clang++ in a new build folder.")
  endif()
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-resource-dir
    OUTPUT_VARIABLE resources OUTPUT_STRIP_TRAILING_WHITESPACE)
  find_library(ATA_ARCHER archer HINTS "${resources}/../..")
  if(NOT ATA_ARCHER)
    message(FATAL_ERROR "libarcher of Clang's OpenMP runtime is missing; install libomp-dev.")
  endif()
  # An emulator is what CTest puts before a test's command; here it sets the environment.
  string(CONCAT tsan_options "ignore_noninstrumented_modules=1:halt_on_error=1:"
    "second_deadlock_stack=1:${allocator}")
  set(CMAKE_CROSSCOMPILING_EMULATOR env "OMP_TOOL_LIBRARIES=${ATA_ARCHER}"
    "TSAN_OPTIONS=${tsan_options}")
else()
  set(CMAKE_CROSSCOMPILING_EMULATOR env "UBSAN_OPTIONS=print_stacktrace=1"
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:${allocator}")
endif()
