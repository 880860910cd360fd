#!/bin/sh
# Every fuzz target for a while, from its corpus: what it finds beyond that stays in the build folder.
# usage: campaign.sh SOURCE BUILD     CHANCERY_FUZZ_SECONDS: for each target (default 1800)
set -eu
source=$1 build=$2 seconds=${CHANCERY_FUZZ_SECONDS:-1800}
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCHY_FUZZ=ON -DCHY_SANITIZE=ON \
    -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 >"$build.log"
targets=$(cd "$source/tests/fuzz" && ls fuzz_*.c | sed 's/\.c$//')
# shellcheck disable=SC2086
ninja -C "$build" $targets >>"$build.log"
failed=""
for target in $targets; do
    found=$build/found/${target#fuzz_}
    mkdir -p "$found"
    status=0
    "$build/bin/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$found-" -print_final_stats=1 \
        "$found" "$source/tests/fuzz/corpus/${target#fuzz_}" >"$found.log" 2>&1 || status=$?
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") executions in $seconds s, exit status $status"
    if [ $status != 0 ]; then
        failed="$failed $target"
        tail -n 40 "$found.log"
    fi
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
