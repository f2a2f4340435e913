# The libraries of the native core. A missing one is named together with its remedy.

# ata_find_package(NAME DEBIAN_PACKAGE VCPKG_PORT [arguments of find_package...])
macro(ata_find_package name debian vcpkg)
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} was not found. On Debian and Ubuntu run './build.sh setup' "
      "(package ${debian}); with vcpkg install the port ${vcpkg}; elsewhere install it and add "
      "its prefix to CMAKE_PREFIX_PATH.")
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
ata_find_package(Threads libc6-dev "(part of the system)")
ata_find_package(dnnl libdnnl-dev onednn)
ata_find_package(hwy libhwy-dev highway)
ata_find_package(nlohmann_json nlohmann-json3-dev nlohmann-json 3.10)

# Headers of others say where an assertion failed: not by the folders of the machine that built it.
if(ATA_SELF_CONTAINED)
  foreach(library DNNL::dnnl hwy::hwy)
    set_property(TARGET ${library} APPEND PROPERTY
      INTERFACE_COMPILE_OPTIONS "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
  endforeach()
endif()

# What users of a static libata link besides it: as targets, for AtaConfig.cmake and for ata.pc.
set(ATA_STATIC_DEPENDENCIES DNNL::dnnl hwy::hwy Threads::Threads ${CMAKE_DL_LIBS})
set(ATA_STATIC_FIND_DEPENDENCIES
  "find_dependency(dnnl)\nfind_dependency(hwy)\nfind_dependency(Threads)\n")
set(ATA_STATIC_PC_LIBRARIES "-ldnnl -lhwy -lstdc++ -lm -ldl -pthread")
