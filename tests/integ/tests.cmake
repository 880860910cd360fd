# The built daemon from outside: every test_*.py here is one test, in need of the standard library, openssl and certtool.
find_program(PYTHON3 python3 REQUIRED)
file(GLOB integ_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
foreach(source ${integ_tests})
  get_filename_component(name ${source} NAME_WE)
  add_test(NAME integ/${name} COMMAND ${PYTHON3} -B ${source})
  set_tests_properties(integ/${name} PROPERTIES
    TIMEOUT 300
    ENVIRONMENT "CHANCERY_BIN=${CMAKE_BINARY_DIR}/bin;CHANCERY_INCLUDE=${CMAKE_SOURCE_DIR}/include")
endforeach()
