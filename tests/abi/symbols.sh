#!/bin/sh
# symbols.sh FOLDER...: every module in these folders exports chy_module_entry and nothing else.
set -eu
failed=0 n=0
for folder in "$@"; do
    for module in "$folder"/*.so; do
        symbols=$(nm -D --defined-only "$module" | awk '{print $NF}')
        [ "$symbols" = "${want:-chy_module_entry}" ] || { failed=1; echo "FAIL $module exports:" $symbols; }
        n=$((n + 1))
    done
done
[ $n -gt 0 ] && echo "$n modules" && exit $failed
