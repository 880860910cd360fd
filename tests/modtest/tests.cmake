# The play of each sample, directly and late-bound; chancery-modtest itself; and what it says of bad modules.
set(modtest ${CMAKE_CURRENT_LIST_DIR})
get_property(samples GLOBAL PROPERTY CHY_SAMPLES)
foreach(name ${samples})
  set(how --both)
  if(name STREQUAL "exit-revoked") # late-bound only
    set(how --late)
  endif()
  add_test(NAME modtest/${name} COMMAND chancery-modtest ${how} $<TARGET_FILE:${name}>
    ${CMAKE_SOURCE_DIR}/modules/examples/${name}.play)
  set_tests_properties(modtest/${name} PROPERTIES TIMEOUT 300)
endforeach()

# Modules with one fault each.
set(modtest_bad ${CMAKE_BINARY_DIR}/tests/modtest)
function(bad_module name)
  add_library(modtest-${name} MODULE ${modtest}/bad.c)
  target_include_directories(modtest-${name} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_compile_definitions(modtest-${name} PRIVATE ${ARGN})
  target_link_libraries(modtest-${name} PRIVATE chy_flags)
  set_target_properties(modtest-${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${modtest_bad})
endfunction()
foreach(fault NONE SLOW LEAK CARELESS HANG CRASH HOARD TWICE MOVE FILES LEAVE)
  string(TOLOWER ${fault} name)
  bad_module(${name} BAD=${fault} BAD_EXPORT=0)
endforeach()
bad_module(export BAD=NONE BAD_EXPORT=1)
bad_module(linkage BAD=NONE BAD_EXPORT=0)
set_target_properties(modtest-linkage PROPERTIES LINK_LIBRARIES "")
target_compile_options(modtest-linkage PRIVATE -D_GNU_SOURCE)
target_link_options(modtest-linkage PRIVATE -Wl,-z,execstack,-z,norelro,-z,lazy,-rpath,relative/lib)
add_library(modtest-blind MODULE ${modtest}/blind.c)
target_include_directories(modtest-blind PRIVATE ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(modtest-blind PRIVATE chy_flags)
set_target_properties(modtest-blind PROPERTIES PREFIX "" OUTPUT_NAME blind LIBRARY_OUTPUT_DIRECTORY ${modtest_bad})

# What modules see in a play, and the plays to copy from.
foreach(kind policy exit)
  set(is_policy 0)
  if(kind STREQUAL "policy")
    set(is_policy 1)
  endif()
  add_library(modtest-witness-${kind} MODULE ${modtest}/witness.c)
  target_include_directories(modtest-witness-${kind} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_compile_definitions(modtest-witness-${kind} PRIVATE WITNESS_POLICY=${is_policy})
  target_link_libraries(modtest-witness-${kind} PRIVATE chy_flags)
  set_target_properties(modtest-witness-${kind} PROPERTIES PREFIX "" OUTPUT_NAME witness-${kind}
    LIBRARY_OUTPUT_DIRECTORY ${modtest_bad})
endforeach()
set(plays ${CMAKE_SOURCE_DIR}/modules/examples/plays)
add_test(NAME modtest/what-exits-see COMMAND chancery-modtest --both $<TARGET_FILE:modtest-witness-exit>
  ${modtest}/events.play ${plays}/every-event.play)
add_test(NAME modtest/what-policies-see COMMAND chancery-modtest --both $<TARGET_FILE:modtest-witness-policy>
  ${plays}/every-property.play)

find_program(PYTHON3 python3 REQUIRED)
add_test(NAME modtest/check_slow COMMAND ${PYTHON3} -B ${modtest}/test_check.py)
set_tests_properties(modtest/check_slow PROPERTIES TIMEOUT 600 LABELS slow ENVIRONMENT
  "CHANCERY_SLOW=1;CHANCERY_BIN=${CMAKE_BINARY_DIR}/bin;MODULES=${CMAKE_BINARY_DIR}/modules;BAD_MODULES=${modtest_bad}")
foreach(test check plays new)
  add_test(NAME modtest/${test} COMMAND ${PYTHON3} -B ${modtest}/test_${test}.py)
  set_tests_properties(modtest/${test} PROPERTIES TIMEOUT 300 ENVIRONMENT
    "CHANCERY_BIN=${CMAKE_BINARY_DIR}/bin;MODULES=${CMAKE_BINARY_DIR}/modules;BAD_MODULES=${modtest_bad}")
endforeach()
