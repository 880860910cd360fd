#!/bin/sh
# House rules that a machine can see.
set -eu
cd "$(dirname "$0")/../.."
bad=0
note() { printf '%s\n' "$1" >&2; bad=1; }

files=$(find src modules -name '*.[ch]')
# shellcheck disable=SC2086
hits=$(grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|alloca)\(' $files || true)
[ -z "$hits" ] || note "banned calls:
$hits"
hits=$(grep -rnE '[^_a-z](malloc|calloc|realloc|strdup|strndup)\(' src --include='*.c' | grep -v '^src/base/mem.c' | grep -vE '^\S+:\s*(/?\*)' || true)
[ -z "$hits" ] || note "memory is asked for in base/mem.c only:
$hits"
hits=$(grep -rnwE 'T[O]DO|F[I]XME|X[X]X' src modules include tests docs README.md 2>/dev/null || true)
[ -z "$hits" ] || note "unfinished business:
$hits"
for f in $files; do
    n=$(wc -l <"$f")
    [ "$n" -le 900 ] || note "$f: $n lines, at most 900"
done
long=$(ctags --languages=C --kinds-C=f --fields=+ne -f - $files 2>/dev/null | awk -F'\t' '{
    line = 0; end = 0
    for (i = 4; i <= NF; i++) { if ($i ~ /^line:/) line = substr($i, 6); if ($i ~ /^end:/) end = substr($i, 5) }
    if (end - line + 1 > 80) printf "%s %s: %d lines\n", $2, $1, end - line + 1 }')
[ -z "$long" ] || note "functions of more than 80 lines:
$long"
exit $bad
