# What goes where. The component "dev" is all that the author of a module needs.
include(CMakePackageConfigHelpers)
set(CHY_MODULE_INSTALL_DIR ${CMAKE_INSTALL_LIBDIR}/chancery/modules)
set(CHY_HELPER_INSTALL_DIR ${CMAKE_INSTALL_LIBDIR}/chancery/helpers)
set(CHY_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Chancery)
file(RELATIVE_PATH CHY_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" CHY_PC_TO_PREFIX "${CHY_PC_TO_PREFIX}")

foreach(program chanceryd chancery chancery-modtest)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(TARGETS chancery-modhost RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/chancery)
# Of the samples the sources are installed, and the first two for a first try.
get_property(modules GLOBAL PROPERTY CHY_MODULES)
get_property(samples GLOBAL PROPERTY CHY_SAMPLES)
list(REMOVE_ITEM samples example-exit example-policy)
list(REMOVE_ITEM modules ${samples})
install(TARGETS ${modules} LIBRARY DESTINATION ${CHY_MODULE_INSTALL_DIR})

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/chancery DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
configure_file(${CMAKE_SOURCE_DIR}/conf/chancery.pc.in ${CMAKE_BINARY_DIR}/conf/chancery.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/conf/chancery.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
if(TARGET libchancery)
  install(TARGETS libchancery LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  configure_file(${CMAKE_SOURCE_DIR}/conf/chancery-client.pc.in ${CMAKE_BINARY_DIR}/conf/chancery-client.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/conf/chancery-client.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
configure_package_config_file(${CMAKE_SOURCE_DIR}/conf/ChanceryConfig.cmake.in
  ${CMAKE_BINARY_DIR}/conf/ChanceryConfig.cmake INSTALL_DESTINATION ${CHY_PACKAGE_DIR}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR CHY_MODULE_INSTALL_DIR CHY_HELPER_INSTALL_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/conf/ChanceryConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/conf/ChanceryConfig.cmake ${CMAKE_BINARY_DIR}/conf/ChanceryConfigVersion.cmake
  ${CMAKE_SOURCE_DIR}/conf/ChanceryModule.cmake ${CMAKE_SOURCE_DIR}/conf/module.map
  DESTINATION ${CHY_PACKAGE_DIR} COMPONENT dev)
# The same from the build tree: Chancery_DIR=BUILD/cmake.
configure_file(${CMAKE_SOURCE_DIR}/conf/ChanceryBuildTree.cmake.in ${CMAKE_BINARY_DIR}/cmake/ChanceryConfig.cmake @ONLY)
configure_file(${CMAKE_SOURCE_DIR}/conf/ChanceryModule.cmake ${CMAKE_BINARY_DIR}/cmake/ChanceryModule.cmake COPYONLY)
configure_file(${CMAKE_SOURCE_DIR}/conf/module.map ${CMAKE_BINARY_DIR}/cmake/module.map COPYONLY)

configure_file(${CMAKE_SOURCE_DIR}/conf/chancery.service.in ${CMAKE_BINARY_DIR}/conf/chancery.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/conf/chancery.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/conf/chancery.sysusers DESTINATION lib/sysusers.d RENAME chancery.conf)
configure_file(${CMAKE_SOURCE_DIR}/conf/chancery.conf.example.in ${CMAKE_BINARY_DIR}/conf/chancery.conf.example @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/conf/chancery.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/modules/examples DESTINATION ${CMAKE_INSTALL_DOCDIR}
  FILES_MATCHING PATTERN "*.c" PATTERN "*.cpp" PATTERN "*.play" PATTERN "README.md")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/modules/exec/helpers DESTINATION ${CMAKE_INSTALL_LIBDIR}/chancery
  FILES_MATCHING PATTERN "chancery_module.*")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/modules/exec/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/exec
  FILES_MATCHING PATTERN "*.py" PATTERN "*.sh")
foreach(text LICENSE README.md)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${text})
    install(FILES ${CMAKE_SOURCE_DIR}/${text} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()
# Manual pages are written for scdoc; without it there are none.
find_program(SCDOC scdoc)
if(SCDOC)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.scd)
  foreach(source ${pages})
    get_filename_component(page ${source} NAME_WLE)
    string(REGEX MATCH "[158]$" section ${page})
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/man/${page} DEPENDS ${source}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
      COMMAND sh -c "${SCDOC} <${source} >${CMAKE_BINARY_DIR}/man/${page}" VERBATIM)
    list(APPEND built_pages ${CMAKE_BINARY_DIR}/man/${page})
    install(FILES ${CMAKE_BINARY_DIR}/man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endforeach()
  add_custom_target(manual_pages ALL DEPENDS ${built_pages})
endif()
