# The programs: everything but main stands in the layers.
file(GLOB daemon_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/daemon/*.c)
add_executable(chanceryd ${daemon_sources})
target_link_libraries(chanceryd PRIVATE chy_admin chy_ocsp chy_flags)
target_include_directories(chanceryd PRIVATE ${CHY_ROOTS}/daemon)
target_compile_definitions(chanceryd PRIVATE CHY_MODULE_DIR="${CMAKE_INSTALL_FULL_LIBDIR}/chancery/modules"
  CHY_MODHOST="${CMAKE_INSTALL_FULL_LIBEXECDIR}/chancery/chancery-modhost")
# Modules are given tables, never symbols of ours.
set_target_properties(chanceryd PROPERTIES ENABLE_EXPORTS OFF)

# In which a module runs that has a process of its own. Installed where nobody starts it by hand.
file(GLOB modhost_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/modhost/*.c)
file(MAKE_DIRECTORY ${CHY_ROOTS}/modhost)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/modhost ${CHY_ROOTS}/modhost/modhost SYMBOLIC)
add_executable(chancery-modhost ${modhost_sources})
target_include_directories(chancery-modhost PRIVATE ${CHY_ROOTS}/modhost)
target_link_libraries(chancery-modhost PRIVATE chy_ca chy_flags)
add_dependencies(chanceryd chancery-modhost)

add_executable(chancery ${CMAKE_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(chancery PRIVATE chy_cli chy_flags)

add_executable(chancery-modtest ${CMAKE_SOURCE_DIR}/src/modtest/main.c)
target_link_libraries(chancery-modtest PRIVATE chy_modtest chy_flags)

# The client library for other programs: the public functions of chancery/client.h and no other name.
file(GLOB client_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/client/*.c)
add_library(libchancery SHARED ${client_sources})
set_target_properties(libchancery PROPERTIES OUTPUT_NAME chancery VERSION ${PROJECT_VERSION} SOVERSION 0
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
target_include_directories(libchancery PRIVATE ${CHY_ROOTS}/client PUBLIC ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(libchancery PRIVATE chy_base llhttp PkgConfig::OPENSSL chy_flags)
target_link_options(libchancery PRIVATE -Wl,--exclude-libs,ALL)
