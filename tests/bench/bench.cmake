# Built by ./dev bench; no test runs it.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
add_executable(chancery-bench ${bench_sources})
target_include_directories(chancery-bench PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(chancery-bench PRIVATE chy_ca PkgConfig::OPENSSL chy_flags)
