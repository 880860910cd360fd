#!/bin/sh
# Every fuzz target for a while, one on each processor, from its corpus: what it finds beyond that
# stays in the build folder, and is where the next campaign begins.
# usage: campaign.sh SOURCE BUILD [TARGET ...]     CHANCERY_FUZZ_SECONDS: for each target (default 1800)
set -eu
source=$1 build=$2 seconds=${CHANCERY_FUZZ_SECONDS:-1800}
shift 2

fuzz() {
    found=$build/found/${1#fuzz_} status=0
    mkdir -p "$found"
    "$build/bin/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$found-" -print_final_stats=1 \
        "$found" "$source/tests/fuzz/corpus/${1#fuzz_}" >"$found.log" 2>&1 || status=$?
    echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") executions in $seconds s, exit status $status"
    [ $status = 0 ] || tail -n 40 "$found.log"
    return $status
}

if [ "${1:-}" = --one ]; then
    fuzz "$2"
    exit
fi
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCHY_FUZZ=ON -DCHY_SANITIZE=ON \
    -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 >"$build.log"
if [ $# = 0 ]; then
    for file in "$source"/tests/fuzz/fuzz_*.c; do
        set -- "$@" "$(basename "$file" .c)"
    done
fi
ninja -C "$build" "$@" >>"$build.log"
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 sh "$0" "$source" "$build" --one
