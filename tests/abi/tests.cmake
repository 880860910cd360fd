# The border to modules: headers, numbers, a module from the first release, bad ones, and the comfort
# layer. abi_load asks the host about a file.
set(abi ${CMAKE_CURRENT_LIST_DIR})
set(abi_modules ${CMAKE_BINARY_DIR}/tests/abi)

foreach(compiler gcc g++ clang-14 clang++-14)
  add_test(NAME abi/headers-${compiler} COMMAND sh ${abi}/headers.sh ${compiler} ${CMAKE_SOURCE_DIR})
  set_tests_properties(abi/headers-${compiler} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
add_test(NAME abi/constants COMMAND sh ${abi}/constants.sh ${CMAKE_C_COMPILER} ${CMAKE_SOURCE_DIR} ${abi_modules})

find_program(PYTHON3 python3 REQUIRED)
add_test(NAME abi/members COMMAND ${PYTHON3} -B ${abi}/members.py ${CMAKE_SOURCE_DIR})
add_test(NAME abi/gate COMMAND sh ${abi}/gate.sh ${CMAKE_C_COMPILER} ${CMAKE_SOURCE_DIR} ${abi_modules}/gate)

# abi_module(NAME SOURCE INCLUDE DEFINITION...)
function(abi_module name source include)
  add_library(abi-${name} MODULE ${source})
  target_include_directories(abi-${name} PRIVATE ${include})
  target_compile_definitions(abi-${name} PRIVATE ${ARGN})
  target_link_libraries(abi-${name} PRIVATE chy_flags)
  set_target_properties(abi-${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${abi_modules}/modules)
endfunction()
abi_module(frozen ${abi}/frozen.c ${abi}/v1_0)
abi_module(frozen-newer ${abi}/frozen.c ${abi}/v1_0 NEWER_MINOR=7u)
abi_module(both-exit ${abi}/both_exit.c ${CMAKE_SOURCE_DIR}/include)
abi_module(both-policy ${abi}/both_policy.c ${CMAKE_SOURCE_DIR}/include)

add_executable(abi_load ${abi}/abi_load.c)
target_link_libraries(abi_load PRIVATE chy_module chy_flags)

add_test(NAME abi/loads COMMAND abi_load
  $<TARGET_FILE:abi-frozen> "class Frozen.Policy: policy, direct and late-bound, serial"
  $<TARGET_FILE:abi-frozen> "class Frozen.Exit: exit, direct and late-bound, serial"
  $<TARGET_FILE:abi-frozen> "ABI 1.0"
  $<TARGET_FILE:abi-frozen-newer> "ABI 1.7"
  $<TARGET_FILE:policy-default> "class PolicyDefault.Policy: policy"
  $<TARGET_FILE:exit-publish> "class ExitPublish.Exit: exit"
  $<TARGET_FILE:example-exit> "class ExampleExit.Exit: exit, direct and late-bound, serial"
  $<TARGET_FILE:example-policy> "class ExamplePolicy.Policy: policy, direct and late-bound, serial"
  $<TARGET_FILE:abi-both-exit> "class BothExit.ExitManage: manage"
  $<TARGET_FILE:abi-both-policy> "class BothPolicy.Policy: policy")

# abi_bad(NAME TEXT DEFINITION...): a module that must be refused with that text.
set(abi_refused "")
function(abi_bad name text)
  abi_module(${name} ${abi}/bad.c ${CMAKE_SOURCE_DIR}/include ${ARGN})
  set_target_properties(abi-${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${abi_modules}/bad)
  add_test(NAME abi/refuses-${name} COMMAND abi_load $<TARGET_FILE:abi-${name}> "!${text}")
  set(abi_refused ${abi_refused} $<TARGET_FILE:abi-${name}> "!${text}" PARENT_SCOPE)
endfunction()
abi_bad(bad-magic "magic is 0x00000007, not 0x4d594843" BAD_MAGIC=7)
abi_bad(bad-major "built for ABI 2.0, this chanceryd speaks 1.0" BAD_ABI=0x20000)
abi_bad(bad-size "descriptor of 16 octets, at least 48 are expected" BAD_SIZE=16)
abi_bad(bad-size-huge "descriptor of 1000000 octets" BAD_SIZE=1000000)
abi_bad(bad-create "it has no create function" BAD_CREATE=NULL)
abi_bad(bad-classes "it names no class" "BAD_CLASSES=(classes+1)")
abi_bad(bad-classes-null "it names no class" BAD_CLASSES=NULL)
abi_bad(bad-name "its name is not [a-z0-9-]{1,32}" "BAD_NAME=\"Bad Name\"")
abi_bad(bad-name-null "its name is not [a-z0-9-]{1,32}" BAD_NAME=NULL)
abi_bad(bad-version "it has no version" BAD_VERSION=NULL)
abi_bad(bad-null "chy_module_entry returned NULL" BAD_NULL)
abi_bad(bad-entry "it exports no chy_module_entry" BAD_ENTRY=another_entry)
# In one process: what was refused must not stand in for what comes after it.
add_test(NAME abi/refuses-in-a-row COMMAND abi_load ${abi_refused} $<TARGET_FILE:abi-frozen> "module frozen")

add_test(NAME abi/symbols COMMAND sh ${abi}/symbols.sh ${CMAKE_BINARY_DIR}/modules ${abi_modules}/modules)
add_test(NAME abi/out-of-tree COMMAND sh ${abi}/out_of_tree.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}
  $<TARGET_FILE:abi_load> ${abi_modules}/outside)
set_tests_properties(abi/out-of-tree PROPERTIES TIMEOUT 300)

add_executable(abi_test_easy ${abi}/test_easy.c)
target_include_directories(abi_test_easy PRIVATE ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(abi_test_easy PRIVATE chy_flags PkgConfig::CMOCKA)
add_test(NAME abi/easy COMMAND abi_test_easy)

# The examples and one module that reads everything, through the real host.
add_executable(abi_test_examples ${abi}/test_examples.c)
target_link_libraries(abi_test_examples PRIVATE chy_module chy_flags PkgConfig::CMOCKA)
add_dependencies(abi_test_examples example-exit example-policy abi-both-exit)
add_test(NAME abi/examples COMMAND abi_test_examples ${CMAKE_BINARY_DIR}/modules ${abi_modules}/modules)
add_test(NAME abi/installed COMMAND sh ${abi}/installed.sh ${CMAKE_BINARY_DIR} ${abi_modules}/installed)
