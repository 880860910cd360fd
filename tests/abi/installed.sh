#!/bin/sh
# installed.sh BUILD-DIR SCRATCH-DIR: everything is installed, the example of a configuration file
# names settings that there are, and the unit is as closed as it was meant to be.
set -eu
build=$1 scratch=$2 failed=0
fail() { failed=1; echo "FAIL $*"; }
rm -rf "$scratch"
mkdir -p "$scratch/empty"
cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log"
for file in bin/chanceryd bin/chancery include/chancery/module.h include/chancery/easy.h \
    'lib*/chancery/modules/policy-default.so' 'lib*/chancery/modules/exit-publish.so' \
    'lib*/chancery/modules/exit-webhook.so' \
    'lib*/pkgconfig/chancery.pc' 'lib*/cmake/Chancery/ChanceryConfig.cmake' \
    lib/systemd/system/chancery.service lib/sysusers.d/chancery.conf \
    share/doc/chancery/chancery.conf.example share/doc/chancery/LICENSE \
    share/doc/chancery/examples/example-exit.c share/doc/chancery/examples/policy-list.play \
    bin/chancery-modtest libexec/chancery/chancery-modhost; do
    find "$scratch/prefix" -path "*/$file" | grep -q . || fail "$file is not installed"
done

sed -e 's/^#\([a-z_]* = \)/\1/' -e "s|^dir = .*|dir = $scratch/empty|" \
    "$scratch/prefix/share/doc/chancery/chancery.conf.example" >"$scratch/chancery.conf"
[ "$(grep -c '^[a-z_]* = ' "$scratch/chancery.conf")" -ge 14 ] || fail "settings are missing in the example"
"$scratch/prefix/bin/chanceryd" --config "$scratch/chancery.conf" >"$scratch/out" 2>&1 && fail "it serves no CA"
grep -q "there is no CA yet" "$scratch/out" || { fail "the example is not understood:"; cat "$scratch/out"; }

if systemd-analyze security --help >/dev/null 2>&1; then
    unit=$(find "$scratch/prefix" -name chancery.service)
    systemd-analyze security --offline=true --threshold=15 "$unit" >"$scratch/unit" 2>&1 ||
        { fail "the unit is more open than 1.5:"; tail -n 1 "$scratch/unit"; }
fi
exit $failed
