#!/bin/sh
# constants.sh COMPILER SOURCE-DIR SCRATCH-DIR: the tables have not moved, and every number that the
# first release named has the same value now.
set -eu
compiler=$1 source=$2 scratch=$3
mkdir -p "$scratch"
for root in "$source/include" "$source/tests/abi/v1_0"; do
    "$compiler" -std=c11 -Wall -Wextra -Werror -fsyntax-only -I"$root" "$source/tests/abi/offsets.c"
done
old=$source/tests/abi/v1_0/chancery/codes.h
{
    echo '#include <chancery/module.h>'
    sed -n 's/^#define \(CHY_[A-Z0-9_]*\) \([^/]*\).*/_Static_assert((\1) == (\2), "\1 has changed");/p' "$old"
    sed -n 's/^ *\(CHY_[A-Z0-9_]*\) = \([0-9a-fx]*\),*.*/_Static_assert(\1 == \2, "\1 has changed");/p' \
        "$source/tests/abi/v1_0/chancery/types.h" "$source/tests/abi/v1_0/chancery/module.h"
} >"$scratch/constants.c"
[ "$(grep -c _Static_assert "$scratch/constants.c")" -gt 500 ]
"$compiler" -std=c11 -Wall -Werror -fsyntax-only -I"$source/include" "$scratch/constants.c"
