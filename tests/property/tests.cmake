# Random histories of revocation on the real engine, with a clock that passes years, against a model.
# The same program plays far more of them as a slow test. CHANCERY_SEED plays one again.
set(property_sources ${CMAKE_CURRENT_LIST_DIR}/world.c ${CMAKE_CURRENT_LIST_DIR}/model.c
  ${CMAKE_CURRENT_LIST_DIR}/check.c)
add_executable(property_test_revocation ${CMAKE_CURRENT_LIST_DIR}/test_revocation.c
  ${property_sources})
target_include_directories(property_test_revocation PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_definitions(property_test_revocation PRIVATE TEST_MODULES="${CMAKE_BINARY_DIR}/modules")
target_link_libraries(property_test_revocation PRIVATE chy_ca chy_flags PkgConfig::CMOCKA
  PkgConfig::OPENSSL)
add_dependencies(property_test_revocation policy-default)
add_test(NAME property/test_revocation COMMAND property_test_revocation)
set_tests_properties(property/test_revocation PROPERTIES TIMEOUT 300)
add_test(NAME property/test_revocation_slow COMMAND property_test_revocation)
set_tests_properties(property/test_revocation_slow PROPERTIES TIMEOUT 7200 LABELS slow
  ENVIRONMENT "CHANCERY_SLOW=1")
