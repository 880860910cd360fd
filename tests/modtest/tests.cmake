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
