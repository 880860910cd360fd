# Certificates as the product makes them, judged by others: OpenSSL's library and tool, and GnuTLS.
add_executable(oracle ${CMAKE_CURRENT_LIST_DIR}/oracle.c ${CMAKE_CURRENT_LIST_DIR}/generate.c
  ${CMAKE_CURRENT_LIST_DIR}/authority.c ${CMAKE_CURRENT_LIST_DIR}/judge.c
  ${CMAKE_CURRENT_LIST_DIR}/tools.c)
target_link_libraries(oracle PRIVATE chy_key chy_flags)
add_test(NAME oracle/certificates COMMAND oracle)
set_tests_properties(oracle/certificates PROPERTIES TIMEOUT 300)
