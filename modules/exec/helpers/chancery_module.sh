# Policy and exit modules in POSIX sh with jq, for policy-exec and exit-exec. Source this file, define verify or
# notify, and end with serve_policy or serve_exit EVENT…. Standard output goes to the daemon's log.
#
#   get FILTER              prints what a jq filter finds in the call: get .request.RequesterName
#   setting NAME            prints a setting of Program/
#   names TYPE              prints the subject alternative names of a type, a line each: names dns
#   callback METHOD ARG…    prints what a method of the callback interface returns; fails where it does
#   set_property NAME VALUE keep OID…    set_extension OID BASE64 [true|false: critical]
#   issue [WHY]  pend [WHY]  deny [WHY]  in verify; the last one counts. Without one the call fails
#   a status of notify other than 0: the event comes again

exec 3>&1 1>&2 4<&0 0</dev/null
SERVER_AUTH=MAoGCCsGAQUFBwMB CLIENT_AUTH=MAoGCCsGAQUFBwMC DIGITAL_SIGNATURE=AwIHgA==
line='' id='' settings='{}' result='' why='' properties='' extensions='' interface=''

get() { printf '%s\n' "$line" | jq -r "$1 // empty"; }
setting() { printf '%s\n' "$settings" | jq -r --arg n "$1" '.[$n] // empty | if type == "array" then .[] else . end'; }
names() { printf '%s\n' "$line" | jq -r --arg t "$1" '.names[] | select(.type == $t).value'; }
# jq takes its time to start: what needs no escape is quoted without it.
_quote() {
    case $1 in
    *[!A-Za-z0-9\ .,:_/@=+*-]*) jq -nc --arg v "$1" '$v' ;;
    *) printf '"%s"' "$1" ;;
    esac
}

_answer() { printf '{"id":%s,%s}\n' "$id" "$1" >&3; }
callback() {
    _method=$1 _got='' _args=''
    shift
    for _arg in "$@"; do _args="${_args:+$_args,}$(_quote "$_arg")"; done
    _answer "\"call\":\"$interface.$_method\",\"args\":[$_args]"
    IFS= read -r _got <&4 || exit 0
    printf '%s\n' "$_got" | jq -er 'if has("error") then error(.error) else .return // "" end'
}

set_property() {
    case $1 in '' | *[!A-Za-z0-9]*) return 1 ;; esac
    properties="${properties:+$properties,}\"$1\":$(_quote "$2")"
}
set_extension() {
    case $1:$2 in *[!0-9.]*:* | *:*[!A-Za-z0-9+/=]*) return 1 ;; esac
    case ${3:-false} in true | false) ;; *) return 1 ;; esac
    extensions="${extensions:+$extensions,}{\"oid\":\"$1\",\"value\":\"$2\",\"critical\":${3:-false}}"
}
keep() {
    for _oid in "$@"; do
        case $line in *"{\"oid\":\"$_oid\","*) ;; *) continue ;; esac
        extensions="${extensions:+$extensions,}{\"oid\":\"$_oid\",\"disabled\":false}"
    done
}
issue() { result=issue why=${1:-}; }
pend() { result=pend why=${1:-}; }
deny() { result=deny why=${1:-}; }

_fail() { _answer "\"error\":\"0x80004005\",\"message\":\"$1\""; }

_verify() {
    result='' why='' properties='' extensions=''
    verify || { _fail "verify failed"; return; }
    [ -n "$result" ] || { _fail "verify decided nothing"; return; }
    _answer "\"result\":\"$result\"${why:+,\"message\":$(_quote "$why")},\"properties\":{$properties},\"extensions\":[$extensions]"
}
_notify() { if notify; then _answer '"result":0'; else _fail "notify failed"; fi; }

# Every line begins with its id and its call.
_serve() {
    _work=$1 _events=''
    shift
    for _event in "$@"; do _events="${_events:+$_events,}\"$_event\""; done
    while IFS= read -r line <&4; do
        id=${line#'{"id":'} id=${id%%,*}
        case $line in
        '{"id":'*',"call":"ICert'*'.Initialize",'*)
            settings=$(get .settings)
            _answer "\"result\":${_events:+[}${_events:-0}${_events:+]}"
            ;;
        *) "$_work" ;;
        esac
    done
}
serve_policy() { interface=ICertServerPolicy; _serve _verify; }
serve_exit() { interface=ICertServerExit; _serve _notify "$@"; }
