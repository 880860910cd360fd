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
#
# Names that begin with _ are this file's own.

exec 3>&1 1>&2 4<&0 0</dev/null
SERVER_AUTH=MAoGCCsGAQUFBwMB CLIENT_AUTH=MAoGCCsGAQUFBwMC DIGITAL_SIGNATURE=AwIHgA==
_line='' _id='' _settings='{}' _result='' _why='' _properties='' _extensions='' _interface=''

get() { printf '%s\n' "$_line" | jq -r "$1 // empty"; }
setting() { printf '%s\n' "$_settings" | jq -r --arg n "$1" '.[$n] // empty | if type == "array" then .[] else . end'; }
names() { printf '%s\n' "$_line" | jq -r --arg t "$1" '.names[] | select(.type == $t).value'; }
# jq takes its time to start: what needs no escape is quoted without it.
_quote() {
    case $1 in
    *[!A-Za-z0-9\ .,:_/@=+*-]*) jq -nc --arg v "$1" '$v' ;;
    *) printf '"%s"' "$1" ;;
    esac
}

_answer() { printf '{"id":%s,%s}\n' "$_id" "$1" >&3; }
callback() {
    _method=$1 _got='' _args=''
    shift
    for _arg in "$@"; do _args="${_args:+$_args,}$(_quote "$_arg")"; done
    _answer "\"call\":\"$_interface.$_method\",\"args\":[$_args]"
    IFS= read -r _got <&4 || exit 0
    printf '%s\n' "$_got" | jq -er 'if has("error") then error(.error) else .return // "" end'
}

set_property() {
    case $1 in '' | *[!A-Za-z0-9]*) return 1 ;; esac
    _properties="${_properties:+$_properties,}\"$1\":$(_quote "$2")"
}
set_extension() {
    case $1:$2 in *[!0-9.]*:* | *:*[!A-Za-z0-9+/=]*) return 1 ;; esac
    case ${3:-false} in true | false) ;; *) return 1 ;; esac
    _extensions="${_extensions:+$_extensions,}{\"oid\":\"$1\",\"value\":\"$2\",\"critical\":${3:-false}}"
}
keep() {
    for _oid in "$@"; do
        case $_line in *"[{\"oid\":\"$_oid\","* | *",{\"oid\":\"$_oid\","*) ;; *) continue ;; esac
        _extensions="${_extensions:+$_extensions,}{\"oid\":\"$_oid\",\"disabled\":false}"
    done
}
issue() { _result=issue _why=${1:-}; }
pend() { _result=pend _why=${1:-}; }
deny() { _result=deny _why=${1:-}; }

_fail() { _answer "\"error\":\"0x80004005\",\"message\":\"$1\""; }

_verify() {
    _result='' _why='' _properties='' _extensions=''
    verify || { _fail "verify failed"; return; }
    [ -n "$_result" ] || { _fail "verify decided nothing"; return; }
    _answer "\"result\":\"$_result\"${_why:+,\"message\":$(_quote "$_why")},\"properties\":{$_properties},\"extensions\":[$_extensions]"
}
_notify() { if notify; then _answer '"result":0'; else _fail "notify failed"; fi; }

# Every line begins with its id and its call.
_serve() {
    _work=$1 _events=''
    shift
    for _event in "$@"; do _events="${_events:+$_events,}\"$_event\""; done
    while IFS= read -r _line <&4; do
        _id=${_line#'{"id":'} _id=${_id%%,*}
        _call=${_line#*'"call":"'} _call=${_call%%'"'*}
        case $_call in
        *.Initialize)
            _settings=$(get .settings)
            _answer "\"result\":${_events:+[}${_events:-0}${_events:+]}"
            ;;
        *) "$_work" ;;
        esac
    done
}
serve_policy() { _interface=ICertServerPolicy; _serve _verify; }
serve_exit() { _interface=ICertServerExit; _serve _notify "$@"; }
