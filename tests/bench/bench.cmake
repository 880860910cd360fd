# Built by ./dev bench; no test runs it.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
add_executable(chancery-bench ${bench_sources})
target_include_directories(chancery-bench PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(chancery-bench PRIVATE chy_ca PkgConfig::OPENSSL chy_flags)

# What it calls to see what a call costs.
set(bench_module_nothing ten_two)
set(bench_module_ten-two ten_two)
set(bench_module_exit exit_bench)
foreach(name nothing ten-two exit)
  add_library(bench-${name} MODULE ${CMAKE_CURRENT_LIST_DIR}/module/${bench_module_${name}}.c)
  target_include_directories(bench-${name} PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(bench-${name} PRIVATE chy_flags)
  set_target_properties(bench-${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench-modules)
  add_dependencies(chancery-bench bench-${name})
endforeach()
target_compile_definitions(bench-nothing PRIVATE NOTHING)
