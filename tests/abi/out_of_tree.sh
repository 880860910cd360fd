#!/bin/sh
# out_of_tree.sh SOURCE-DIR BUILD-DIR ABI-LOAD SCRATCH-DIR: what is installed is all that a module
# needs. One is built with pkg-config alone and one with find_package, each in a folder of its own.
set -eu
source=$1 build=$2 load=$3 scratch=$4
umask 022
rm -rf "$scratch"
mkdir -p "$scratch/plain" "$scratch/cmake"
cmake --install "$build" --component dev --prefix "$scratch/prefix" >"$scratch/install.log"
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name chancery.pc)")
export PKG_CONFIG_PATH

cp "$source/modules/examples/example-exit.c" "$scratch/plain"
(
    cd "$scratch/plain"
    # shellcheck disable=SC2046
    cc -std=c11 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden $(pkg-config --cflags chancery) \
        -o example-exit.so example-exit.c
)
moduledir=$(pkg-config --variable=moduledir chancery)
case $moduledir in
*/chancery/modules) ;;
*) echo "FAIL moduledir is $moduledir"; exit 1 ;;
esac

cp "$source/modules/examples/example-policy.c" "$source/tests/abi/both_policy.c" "$scratch/cmake"
cp "$scratch/cmake/both_policy.c" "$scratch/cmake/both_policy.cc"
cat >"$scratch/cmake/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C CXX)
find_package(Chancery 0.1 REQUIRED)
chancery_add_module(example-policy example-policy.c)
chancery_add_module(both-policy both_policy.cc)
END
cmake -S "$scratch/cmake" -B "$scratch/cmake/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" >"$scratch/cmake.log"
cmake --build "$scratch/cmake/build" >>"$scratch/cmake.log" || { cat "$scratch/cmake.log"; exit 1; }

sh "$source/tests/abi/symbols.sh" "$scratch/plain" "$scratch/cmake/build"
"$load" "$scratch/plain/example-exit.so" "class ExampleExit.Exit: exit, direct and late-bound" \
    "$scratch/cmake/build/example-policy.so" "class ExamplePolicy.Policy: policy, direct and late-bound" \
    "$scratch/cmake/build/both-policy.so" "class BothPolicy.PolicyManage: manage"
