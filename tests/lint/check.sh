#!/bin/sh
# ./dev check: format, layers, house rules, and both compilers without a warning.
set -eu
cd "$(dirname "$0")/../.."
failed=0
step() { printf '\033[1m==>\033[0m %s\n' "$1" >&2; }
run() {
    name=$1
    shift
    step "$name"
    "$@" || { printf 'check: %s failed\n' "$name" >&2; failed=1; }
}

sources() { git ls-files -co --exclude-standard -- 'src/*.[ch]' 'src/**/*.[ch]' 'include/*.h' 'include/**/*.h' 'modules/**/*.[ch]' 'tests/**/*.[ch]'; }

format() { sources | grep -v '^tests/abi/v1_0/' | xargs clang-format-14 --dry-run --Werror; }

clang_build() {
    mkdir -p build/clang
    cmake -S . -B build/clang -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang-14 >build/clang/configure.log 2>&1 &&
        ninja -C build/clang >build/clang/build.log 2>&1 || { grep -A4 -E 'error|warning' build/clang/build.log | head -n 40 >&2; return 1; }
}

release_build() {
    mkdir -p build/release
    cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DCHY_TESTS=OFF >build/release/configure.log 2>&1 &&
        ninja -C build/release >build/release/build.log 2>&1 || { grep -A4 -E 'error|warning' build/release/build.log | head -n 40 >&2; return 1; }
}

static_analysis() {
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability -j "$(nproc)" \
        --suppress=missingIncludeSystem --suppress=varFuncNullUB --suppress=uninitvar:include/chancery/easy.h --suppress=nullPointerArithmeticRedundantCheck \
        --suppress=preprocessorErrorDirective -D_GNU_SOURCE -DCHY_VERSION='"0"' -DCHY_MODULE_DIR='""' -DCHY_MODHOST='""' -DCHY_FAULTS=1 \
        -I src -I include src modules
}

run "format (clang-format 14)" format
run "layers: includes look down only" sh tests/lint/layers.sh
run "house rules: banned calls, lengths, globals" sh tests/lint/rules.sh
run "gcc, release: no warning" release_build
run "clang 14: no warning" clang_build
run "static analysis (cppcheck)" static_analysis
[ $failed = 0 ] && step "all checks passed"
exit $failed
