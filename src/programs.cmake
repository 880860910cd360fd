# The programs: everything but main stands in the layers.
file(GLOB daemon_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/daemon/*.c)
add_executable(chanceryd ${daemon_sources})
target_link_libraries(chanceryd PRIVATE chy_admin chy_flags)
target_include_directories(chanceryd PRIVATE ${CHY_ROOTS}/daemon)
target_compile_definitions(chanceryd PRIVATE CHY_MODULE_DIR="${CMAKE_INSTALL_FULL_LIBDIR}/chancery/modules")
if(SYSTEMD_FOUND)
  target_compile_definitions(chanceryd PRIVATE CHY_SYSTEMD=1)
endif()
# Modules are given tables, never symbols of ours.
set_target_properties(chanceryd PROPERTIES ENABLE_EXPORTS OFF)
