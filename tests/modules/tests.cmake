# The modules are loaded as the daemon loads them, by a small host of the test's own.
if(NOT TARGET policy-default)
  return()
endif()
add_executable(modules_test_policy ${CMAKE_CURRENT_LIST_DIR}/test_policy.c)
target_include_directories(modules_test_policy PRIVATE ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(modules_test_policy PRIVATE chy_flags PkgConfig::CMOCKA ${CMAKE_DL_LIBS})
add_dependencies(modules_test_policy policy-default)
add_test(NAME modules/policy COMMAND modules_test_policy ${CMAKE_BINARY_DIR}/modules/policy-default.so)
