#!/bin/sh
# headers.sh COMPILER SOURCE-DIR: each public header compiles alone, with every warning, as C11 or as
# C++17, whichever the compiler is for; it includes <stddef.h>, <stdint.h> and our own headers only.
# The parts that a module is made of compile as both.
set -eu
compiler=$1 source=$2 failed=0
command -v "$compiler" >/dev/null 2>&1 || { echo "no $compiler here"; exit 77; }
case $compiler in
*++*) language="-x c++ -std=c++17" ;;
*) language="-x c -std=c11 -Wstrict-prototypes -Wmissing-prototypes" ;;
esac
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Wundef -Werror"

# shellcheck disable=SC2086
try() { "$compiler" $language $warnings -O2 -c -o /dev/null "$@" || { failed=1; echo "FAIL $*"; }; }

for root in "$source/include" "$source/tests/abi/v1_0"; do
    for header in "$root"/chancery/*.h; do
        echo "#include <chancery/${header##*/}>" | try -I"$root" -
        foreign=$(sed -n 's/^# *include *//p' "$header" | grep -v -e '^<stddef.h>' -e '^<stdint.h>' -e '^<chancery/' || true)
        [ -z "$foreign" ] || { failed=1; echo "FAIL $header includes $foreign"; }
    done
done
try -I"$source/include" "$source/tests/abi/both_exit.c"
try -I"$source/include" "$source/tests/abi/both_policy.c"
exit $failed
