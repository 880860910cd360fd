# The border to modules, exercised by a probe that sees include/ alone, against an engine of the
# test's own.
set(module_tests ${CMAKE_CURRENT_LIST_DIR})
set(module_probes ${CMAKE_BINARY_DIR}/tests/module)
foreach(name probe probe-two)
  add_library(module-${name} MODULE ${module_tests}/probe.c ${module_tests}/tables.c ${module_tests}/manage.c
    ${module_tests}/walk.c ${module_tests}/face.c)
  target_include_directories(module-${name} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_compile_definitions(module-${name} PRIVATE PROBE_NAME="${name}")
  target_link_libraries(module-${name} PRIVATE chy_flags)
  set_target_properties(module-${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${module_probes})
endforeach()
add_library(module-stranger MODULE ${module_tests}/stranger.c)
set_target_properties(module-stranger PROPERTIES PREFIX "" OUTPUT_NAME stranger
  LIBRARY_OUTPUT_DIRECTORY ${module_probes})
add_library(module-wild MODULE ${module_tests}/wild.c)
target_include_directories(module-wild PRIVATE ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(module-wild PRIVATE chy_flags Threads::Threads)
set_target_properties(module-wild PROPERTIES PREFIX "" OUTPUT_NAME wild
  LIBRARY_OUTPUT_DIRECTORY ${module_probes})

function(module_test name)
  add_executable(module_${name} ${module_tests}/${name}.c ${module_tests}/engine.c)
  target_compile_definitions(module_${name} PRIVATE PROBES="${module_probes}"
    MODHOST="${CMAKE_BINARY_DIR}/bin/chancery-modhost" RECORDS="${module_tests}")
  target_link_libraries(module_${name} PRIVATE chy_module chy_flags PkgConfig::CMOCKA)
  add_dependencies(module_${name} module-probe module-probe-two module-stranger module-wild chancery-modhost)
endfunction()
foreach(name test_callbacks test_calls test_child test_deadlines test_load)
  module_test(${name})
  add_test(NAME module/${name} COMMAND module_${name})
  set_tests_properties(module/${name} PROPERTIES TIMEOUT 120)
endforeach()
module_test(measure)

# Modules that do what a module should not: for integ/test_isolation.py.
foreach(name policy exit policy-two crowd)
  string(REGEX REPLACE "policy-two|crowd" "policy" kind ${name})
  add_library(module-sin-${name} MODULE ${module_tests}/sins/sin_${kind}.c ${module_tests}/sins/sin.c)
  target_include_directories(module-sin-${name} PRIVATE ${CMAKE_SOURCE_DIR}/include ${module_tests}/sins)
  target_link_libraries(module-sin-${name} PRIVATE chy_flags Threads::Threads)
  set_target_properties(module-sin-${name} PROPERTIES PREFIX "" OUTPUT_NAME sin-${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/sins)
endforeach()
target_compile_definitions(module-sin-crowd PRIVATE SIN_NAME="sin-crowd" CROWD)
target_compile_definitions(module-sin-policy-two PRIVATE SIN_VERSION="2.0")
