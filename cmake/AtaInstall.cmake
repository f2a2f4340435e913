# What is shipped: the target ata_libraries builds it (bindings of other languages need no more), and
# cmake --install: headers, libraries, the CMake package `Ata` (target Ata::ata) and ata.pc.

include(CMakePackageConfigHelpers)

add_custom_target(ata_libraries DEPENDS ata)
foreach(plugin ata_video ata_cuda)
  if(TARGET ${plugin})
    add_dependencies(ata_libraries ${plugin})
  endif()
endforeach()

set(ATA_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/Ata")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/native/include/ata" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

install(TARGETS ata EXPORT AtaTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(EXPORT AtaTargets NAMESPACE Ata:: DESTINATION "${ATA_CMAKE_DIR}")

configure_package_config_file(cmake/AtaConfig.cmake.in AtaConfig.cmake
  INSTALL_DESTINATION "${ATA_CMAKE_DIR}")
# Before 1.0 a minor version may change the interface.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file(AtaConfigVersion.cmake COMPATIBILITY ${compatibility})
install(FILES "${PROJECT_BINARY_DIR}/AtaConfig.cmake" "${PROJECT_BINARY_DIR}/AtaConfigVersion.cmake"
  DESTINATION "${ATA_CMAKE_DIR}")

# Relative to the file itself, so that the installed tree can be moved.
file(RELATIVE_PATH ATA_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
  "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file(cmake/ata.pc.in ata.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/ata.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
