# A program that lints files, and a test that runs it on what the ready profiles make.
add_executable(lint-file ${CMAKE_CURRENT_LIST_DIR}/lint_file.c)
target_link_libraries(lint-file PRIVATE chy_pki chy_flags)
find_program(PYTHON3 python3 REQUIRED)
add_test(NAME lint/profiles COMMAND ${PYTHON3} -B ${CMAKE_CURRENT_LIST_DIR}/test_profiles.py)
set_tests_properties(lint/profiles PROPERTIES TIMEOUT 300 ENVIRONMENT "CHANCERY_BIN=${CMAKE_BINARY_DIR}/bin")
