#!/bin/sh
# A file includes its own layer, lower ones, and include/chancery: nothing above, nothing beside.
set -eu
cd "$(dirname "$0")/../.."
awk '
BEGIN {
    allow["base"] = "base"
    allow["pki"] = "base pki"
    allow["key"] = "base pki key"
    allow["store"] = "base store"
    allow["module"] = "base module"
    allow["ca"] = "base pki key store module client ca"
    allow["modhost"] = "base pki key store module client ca modhost"
    allow["net"] = "base net"
    allow["ocsp"] = "base pki key store module ca net ocsp"
    allow["enrol"] = "base pki key store module ca net enrol"
    allow["admin"] = "base pki key store module ca net ocsp enrol admin"
    allow["daemon"] = "base pki key store module ca net ocsp enrol admin daemon"
    allow["client"] = "base client"
    allow["cli"] = "base pki key store module ca client cli"
    allow["modtest"] = "base pki key store module client ca modtest"
    third["openssl"] = "base pki key module ca net client daemon"
    third["sqlite3.h"] = "store"
    third["uv.h"] = "net"
    third["llhttp.h"] = "net client"
}
/^#include/ {
    split(FILENAME, part, "/")
    layer = part[2]
    if (!(layer in allow)) { printf "%s: %s is no layer\n", FILENAME, layer; bad = 1; next }
    name = $2
    gsub(/["<>]/, "", name)
    if ($2 ~ /^"/) {
        slash = index(name, "/")
        if (!slash) { printf "%s:%d: %s: name the layer\n", FILENAME, FNR, name; bad = 1; next }
        from = substr(name, 1, slash - 1)
        if (index(" " allow[layer] " ", " " from " ") == 0) { printf "%s:%d: %s may not include %s\n", FILENAME, FNR, layer, name; bad = 1 }
    } else {
        key = name ~ /^openssl\// ? "openssl" : name
        if ((key in third) && index(" " third[key] " ", " " layer " ") == 0) { printf "%s:%d: %s may not use %s\n", FILENAME, FNR, layer, name; bad = 1 }
    }
}
END { exit bad }
' $(find src -name '*.[ch]' | sort)
# Public headers and modules: nothing of ours but include/chancery.
if grep -nE '^#include *[<"]' include/chancery/*.h | grep -vE '<(stddef|stdint)\.h>|<chancery/'; then
    echo "public headers include only <stddef.h>, <stdint.h> and each other" >&2
    exit 1
fi
if grep -rnE '^#include *"[a-z]+/' modules | grep -E '"(base|pki|key|store|module|ca|net)/'; then
    echo "modules use include/chancery alone" >&2
    exit 1
fi
