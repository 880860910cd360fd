# A disk in memory that loses its power and fails, under the engine and the store. The same programs
# run far longer as slow tests.
set(power_sources ${CMAKE_CURRENT_LIST_DIR}/cut_disk.c ${CMAKE_CURRENT_LIST_DIR}/cut_vfs.c
  ${CMAKE_CURRENT_LIST_DIR}/power.c)
file(GLOB power_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.c)
foreach(source ${power_tests})
  get_filename_component(name ${source} NAME_WE)
  set(target power_${name})
  add_executable(${target} ${source} ${power_sources})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE TEST_MODULES="${CMAKE_BINARY_DIR}/modules")
  target_link_libraries(${target} PRIVATE chy_ca chy_flags PkgConfig::CMOCKA)
  add_dependencies(${target} policy-default example-exit exit-publish)
  add_test(NAME power/${name} COMMAND ${target})
  set_tests_properties(power/${name} PROPERTIES TIMEOUT 300)
  add_test(NAME power/${name}_slow COMMAND ${target})
  set_tests_properties(power/${name}_slow PROPERTIES TIMEOUT 7200 LABELS slow
    ENVIRONMENT "CHANCERY_SLOW=1")
endforeach()
