#!/bin/sh
# One certificate through all eight steps of its life, on a throwaway CA, with the real programs.
# usage: eight-steps.sh BUILD-FOLDER [--once]
set -eu
build=$(cd "$1" && pwd)
once=${2:-}
bin=$build/bin
work=$(mktemp -d)
daemon=""
cleanup() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [ -t 1 ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') off=$(printf '\033[0m'); else bold="" dim="" off=""; fi
step() { printf '\n%s%s%s\n' "$bold" "$1" "$off"; }
show() { printf '%s    $ %s%s\n' "$dim" "$*" "$off"; }
indent() { sed 's/^/    /'; }
fail() { printf 'eight steps: %s\n' "$1" >&2; [ ! -s "$work/daemon.log" ] || tail -n 20 "$work/daemon.log" >&2; exit 1; }
field() { printf '%s' "$1" | sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

mkfifo "$work/ready"
"$bin/chanceryd" --throwaway >"$work/ready" 2>"$work/daemon.log" &
daemon=$!
read -r ready <"$work/ready" || fail "the daemon did not start"
CHANCERY_SOCKET=$(field "$ready" socket)
export CHANCERY_SOCKET
ca_cert=$(field "$ready" ca_cert)
c=$bin/chancery

step "1. The daemon loaded its policy module and its exit module and called Initialize on each"
show chanceryd --throwaway
show chancery module list
"$c" module list | indent

step "2. An intermediary finds the CA by its config string (ICertConfig::GetConfig)"
show chancery ca list
"$c" ca list | indent
mkdir -m 700 "$work/published"
"$c" config set PolicyModules/policy-default/RequestDisposition 257 >/dev/null # pend first, issue when released
"$c" config set ExitModules/exit-publish/Folder "$work/published" >/dev/null

step "3. A client makes a key and a request"
show "openssl req -new -newkey ec -subj /CN=www.example.test -addext subjectAltName=DNS:www.example.test …"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/key.pem" -subj /CN=www.example.test \
    -addext "subjectAltName=DNS:www.example.test" -addext "basicConstraints=critical,CA:TRUE" -out "$work/request.pem" 2>/dev/null
printf '    it asks for www.example.test, and (in vain) for CA:TRUE\n'

step "4. The intermediary submits it (ICertRequest::Submit): the one door"
show chancery request submit request.pem --profile tls-server --attr CertFile:true
status=0
answer=$("$c" --json request submit "$work/request.pem" --profile tls-server --attr CertFile:true) || status=$?
id=$(field "$answer" request_id)
[ "$status" = 4 ] && [ -n "$id" ] || fail "a pending request was expected (exit status 4), got $status: $answer"
printf '    request %s, exit status 4: pending\n' "$id"

step "5. The policy module examined it in VerifyRequest, shaped the certificate, and answered: pend"
show "chancery request show $id"
"$c" request show "$id" | head -n 8 | indent

step "6. An administrator resubmits it: VerifyRequest again, now with new = 0"
show "chancery request resubmit $id"
"$c" request resubmit "$id" | head -n 4 | indent || fail "the request was not issued"

step "7. The engine told the exit module that asked for CERTISSUED (Notify)"
i=0
while [ ! -s "$work/published/$id.cer" ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
[ -s "$work/published/$id.cer" ] || fail "the exit module published nothing"
show "chancery module show exit-publish"
"$c" module show exit-publish | grep -iE 'name|calls|failures' | indent

step "8. The exit module read the certificate through its callbacks and published it"
show "openssl x509 -in published/$id.cer -noout -subject -issuer -dates -ext …"
openssl x509 -inform DER -in "$work/published/$id.cer" -out "$work/cert.pem"
openssl x509 -in "$work/cert.pem" -noout -subject -issuer -dates -ext subjectAltName,keyUsage,extendedKeyUsage | indent
openssl x509 -in "$work/cert.pem" -noout -text | grep -q 'CA:TRUE' && fail "the certificate says CA:TRUE"
show "openssl verify -x509_strict -CAfile ca.pem published/$id.cer"
openssl verify -x509_strict -CAfile "$ca_cert" "$work/cert.pem" | sed 's/^.*: /    /'
"$c" request retrieve "$id" --out "$work/again.pem" >/dev/null
openssl x509 -in "$work/again.pem" -outform DER | cmp -s - "$work/published/$id.cer" || fail "two different certificates for one request"

printf '\n%sAll eight steps done.%s\n' "$bold" "$off"
[ "$once" = --once ] && exit 0
cat <<EOF

The CA keeps serving until you press Ctrl-C. In another terminal:

    export CHANCERY_SOCKET=$CHANCERY_SOCKET
    $c request new --subject CN=db.example.test --dns db.example.test --out-key key.pem --out cert.pem
    curl --unix-socket \$CHANCERY_SOCKET http://localhost/readyz
EOF
wait "$daemon"
