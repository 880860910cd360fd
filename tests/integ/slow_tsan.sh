#!/bin/sh
# ThreadSanitizer over the whole daemon: builds it so below BUILD-FOLDER and runs the tests that make its threads
# meet, and a minute of mixed load. A race ends the daemon with status 66, which fails the test that asked it.
# usage: slow_tsan.sh BUILD-FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?the build folder}/tsan
generator=""
command -v ninja >/dev/null 2>&1 && generator="-G Ninja"
mkdir -p "$build"
# shellcheck disable=SC2086
cmake -S "$here/../.." -B "$build" $generator -DCMAKE_BUILD_TYPE=Debug -DCHY_SANITIZE=thread -DCHY_TESTS=OFF >"$build/configure.log" 2>&1 ||
    { tail -n 20 "$build/configure.log"; exit 1; }
cmake --build "$build" >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log"; exit 1; }
# libuv closes descriptors by system calls of its own, which ThreadSanitizer does not see: a folder that is closed
# looks like the connection that had its number before.
echo "race:closedir" >"$build/suppressions"
export CHANCERY_BIN="$build/bin"
export TSAN_OPTIONS="second_deadlock_stack=1 history_size=4 suppressions=$build/suppressions ${TSAN_OPTIONS:-}"
unset CHANCERY_SLOW
for name in issue pending http throwaway faults revoke crash crash_revoke events; do
    echo "== test_$name"
    python3 -B "$here/test_$name.py"
done
echo "== mixed load"
CHANCERY_SOAK_SECONDS=${CHANCERY_TSAN_SECONDS:-60} python3 -B "$here/test_soak.py"
