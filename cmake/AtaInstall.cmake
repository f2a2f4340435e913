# What is shipped: the target ata_libraries builds it (bindings of other languages need no more), and
# cmake --install: headers, libraries, the CMake package `Ata` (target Ata::ata) and ata.pc.

include(CMakePackageConfigHelpers)

add_custom_target(ata_libraries DEPENDS ata)
foreach(plugin ata_video ata_cuda)
  if(TARGET ${plugin})
    add_dependencies(ata_libraries ${plugin})
  endif()
endforeach()

if(NOT ATA_INSTALL)
  return()
endif()
set(ATA_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/Ata")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/native/include/ata" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/THIRD-PARTY.md"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/cmake/valgrind.supp" DESTINATION "${CMAKE_INSTALL_DATADIR}/ata")

install(TARGETS ata ata_cpp EXPORT AtaTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT AtaTargets NAMESPACE Ata:: DESTINATION "${ATA_CMAKE_DIR}")

get_target_property(type ata TYPE)
set(ATA_FIND_DEPENDENCIES "")
set(ATA_PC_PRIVATE "")
if(type STREQUAL "STATIC_LIBRARY")
  set(ATA_FIND_DEPENDENCIES "include(CMakeFindDependencyMacro)\n${ATA_STATIC_FIND_DEPENDENCIES}")
  set(ATA_PC_PRIVATE "${ATA_STATIC_PC_LIBRARIES}")
endif()
configure_package_config_file(cmake/AtaConfig.cmake.in AtaConfig.cmake
  INSTALL_DESTINATION "${ATA_CMAKE_DIR}")
# Before 1.0 a minor version may change the interface.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/AtaConfigVersion.cmake" COMPATIBILITY ${compatibility})
install(FILES "${PROJECT_BINARY_DIR}/AtaConfig.cmake" "${PROJECT_BINARY_DIR}/AtaConfigVersion.cmake"
  DESTINATION "${ATA_CMAKE_DIR}")

# Relative to the file itself, so that the installed tree can be moved.
file(RELATIVE_PATH ATA_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" ATA_PC_PREFIX "${ATA_PC_PREFIX}")
configure_file(cmake/ata.pc.in ata.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/ata.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
