# Memory that ends at one allocation after the other, whoever's: starve.c replaces malloc in these
# programs. They look at some of the allocations, and at every one as slow tests.
# It is called before a sanitizer is ready, so it is not instrumented itself.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/starve.c PROPERTIES
  COMPILE_OPTIONS "-fno-sanitize=all;-fno-builtin")
file(GLOB memory_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.c)
foreach(source ${memory_tests})
  get_filename_component(name ${source} NAME_WE)
  set(target memory_${name})
  add_executable(${target} ${source} ${CMAKE_CURRENT_LIST_DIR}/starve.c)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE TEST_MODULES="${CMAKE_BINARY_DIR}/modules")
  target_link_libraries(${target} PRIVATE chy_ca chy_flags PkgConfig::CMOCKA)
  add_dependencies(${target} policy-default example-exit)
  add_test(NAME memory/${name} COMMAND ${target})
  set_tests_properties(memory/${name} PROPERTIES TIMEOUT 300)
  add_test(NAME memory/${name}_slow COMMAND ${target})
  set_tests_properties(memory/${name}_slow PROPERTIES TIMEOUT 3600 LABELS slow
    ENVIRONMENT "CHANCERY_SLOW=1")
endforeach()
