# What ChanceryConfig.cmake has in common with the build tree's own.
#   Chancery::module                     the headers that a policy or exit module is written against
#   chancery_add_module(NAME SOURCE...)  NAME.so, ready for Chancery_MODULE_DIR
#   Chancery_MODTEST, Chancery_CLI       the programs that test modules, see chancery-modtest(1)
#   Chancery_HELPER_DIR                  the helpers for programs behind policy-exec and exit-exec
if(NOT TARGET Chancery::module)
  add_library(Chancery::module INTERFACE IMPORTED)
  set_target_properties(Chancery::module PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Chancery_INCLUDE_DIR}")
endif()
set(Chancery_MODTEST "${Chancery_BINARY_DIR}/chancery-modtest")
set(Chancery_CLI "${Chancery_BINARY_DIR}/chancery")
set(Chancery_MODULE_MAP "${CMAKE_CURRENT_LIST_DIR}/module.map")

# A module exports chy_module_entry alone and finds everything else that it needs by itself.
function(chancery_add_module name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE Chancery::module)
  target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,-z,defs
    "-Wl,--version-script=${Chancery_MODULE_MAP}")
  set_target_properties(${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
endfunction()
