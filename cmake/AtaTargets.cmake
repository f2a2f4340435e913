# How every native target of the project is compiled.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

# Libraries in <build>/lib and programs in <build>/bin, as they are installed: plugins are looked for
# beside libata.
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

add_library(ata_compile_options INTERFACE)
target_include_directories(ata_compile_options INTERFACE
  "${PROJECT_SOURCE_DIR}/native/include" "${PROJECT_SOURCE_DIR}/native/src")
if(MSVC)
  target_compile_options(ata_compile_options INTERFACE /W4 /utf-8 $<$<BOOL:${ATA_WARNINGS_AS_ERRORS}>:/WX>)
else()
  target_compile_options(ata_compile_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:
    -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${ATA_WARNINGS_AS_ERRORS}>:-Werror>>)
endif()
include(AtaSanitizers)

# ata_add_module(NAME SOURCES ... [DEPENDS ...])
# A room of the core under native/src: a static library that ends up in libata and in the tests.
function(ata_add_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(ata_${name} STATIC ${arg_SOURCES})
  set_property(GLOBAL APPEND PROPERTY ATA_MODULES ata_${name})
  target_compile_definitions(ata_${name} PRIVATE ATA_BUILDING)
  target_link_libraries(ata_${name} PUBLIC ata_compile_options ${arg_DEPENDS})
endfunction()

# ata_add_test(NAME [EACH_DEVICE] SOURCES ... [DEPENDS ...] [PREFIX PREFIX])
# A GoogleTest program, tests/native/<name>_test; ctest puts PREFIX before its tests' names. With
# EACH_DEVICE it runs its tests once on every device (tests/native/support/devices.h).
function(ata_add_test name)
  cmake_parse_arguments(arg "EACH_DEVICE" "PREFIX" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name}_test ${arg_SOURCES})
  if(arg_EACH_DEVICE)
    set(main ata_test_devices)
  else()
    set(main GTest::gtest_main)
  endif()
  target_link_libraries(${name}_test PRIVATE
    ata_compile_options ata_test_support ${arg_DEPENDS} ${main})
  target_compile_definitions(${name}_test PRIVATE
    ATA_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  gtest_discover_tests(${name}_test TEST_PREFIX "${arg_PREFIX}" DISCOVERY_MODE PRE_TEST
    NO_PRETTY_VALUES PROPERTIES TIMEOUT 300)
endfunction()

# ata_run_on_emulated_gpu(NAME PLUGIN [OPTIONS OPTIONS] [ONLY TEST...] [WITHOUT TEST...])
# One more test of ctest: a program whose tests run on each device, on the emulated GPU
# (tests/native/cuda_emulator/README.md). PLUGIN is "emulated", or "checked" for every access of
# kernels to memory; OPTIONS are those of ATA_CUDA_EMULATOR. TESTs are patterns of GoogleTest.
function(ata_run_on_emulated_gpu name plugin)
  if(NOT TARGET ata_cuda_emulated)
    return()
  endif()
  cmake_parse_arguments(arg "" "OPTIONS" "ONLY;WITHOUT" ${ARGN})
  string(REPLACE ";" ":" only "${arg_ONLY}")
  string(REPLACE ";" ":" without "${arg_WITHOUT}")
  string(MAKE_C_IDENTIFIER "${name}_on_${plugin}_gpu_${arg_OPTIONS}" test)
  string(REGEX REPLACE "_$" "" test "${test}")
  add_test(NAME ${test}
    COMMAND ${name}_test --gtest_brief=1 "--gtest_filter=${only}-${without}")
  # The longest tests of all begin first.
  set_tests_properties(${test} PROPERTIES TIMEOUT 900 COST 1000 ENVIRONMENT
    "ATA_CUDA_PLUGIN=$<TARGET_FILE:ata_cuda_${plugin}>;ATA_TEST_DEVICES=cuda;ATA_CUDA_EMULATOR=${arg_OPTIONS}")
endfunction()

# ata_look_beside(TARGET)
# What is shipped finds its own kind beside itself and nowhere else, in the build tree as installed.
# Without BUILD_WITH_INSTALL_RPATH CMake pads the build tree's path with colons, to have room for the
# other one, and an empty entry is the current directory: a stranger's library there would run.
function(ata_look_beside target)
  if(APPLE)
    set(here "@loader_path")
  else()
    set(here "$ORIGIN")
  endif()
  set_target_properties(${target} PROPERTIES
    INSTALL_RPATH "${here}" INSTALL_RPATH_USE_LINK_PATH OFF BUILD_WITH_INSTALL_RPATH ON)
endfunction()

# ata_ship(TARGET SCRIPT)
# How a shared library that is shipped is linked: SCRIPT says what it exports; what it links statically
# stays its own, whatever else is in the process. It is never unloaded: its threads and those of the
# program may still be inside, so that a program may dlopen and dlclose it as often as it likes.
function(ata_ship target script)
  ata_look_beside(${target})
  if(NOT UNIX OR APPLE)
    return()
  endif()
  target_link_options(${target} PRIVATE "LINKER:--version-script=${script}" "LINKER:--exclude-libs,ALL"
    LINKER:--as-needed LINKER:-z,nodelete)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script}")
  if(NOT ATA_SANITIZE)  # whose own functions the program defines
    target_link_options(${target} PRIVATE LINKER:--no-undefined)
  endif()
  if(ATA_SELF_CONTAINED)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc LINKER:--gc-sections)
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/native/src/base/own_unwinder.cc")
  endif()
endfunction()

# ata_plugin_file_name(TARGET)
# Names a plugin's file as base/plugin_loader.h looks for it: libata_video.so.<major> and the like.
function(ata_plugin_file_name target)
  if(WIN32)
    set_target_properties(${target} PROPERTIES PREFIX "")
  elseif(APPLE)
    set_target_properties(${target} PROPERTIES SUFFIX ".${PROJECT_VERSION_MAJOR}.dylib")
  else()
    set_target_properties(${target} PROPERTIES SUFFIX ".so.${PROJECT_VERSION_MAJOR}")
  endif()
endfunction()
