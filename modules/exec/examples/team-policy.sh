#!/bin/sh
# A policy: names below Program/Domain are issued for servers, a wildcard waits, anything else is denied.
. "${CHANCERY_HELPERS:-/usr/lib/chancery/helpers}/chancery_module.sh"
set -f # a wildcard name is no file name

verify() {
    domain=$(setting Domain) all=$(get '.names[] | .type + ":" + .value')
    [ -n "$all" ] || { deny "a DNS name is needed"; return 0; }
    for name in $all; do
        case $name in dns:*".$domain") ;; *) deny "${name#*:} is no DNS name below $domain"; return 0 ;; esac
    done
    keep 2.5.29.17
    set_extension 2.5.29.15 "$DIGITAL_SIGNATURE" true
    set_extension 2.5.29.37 "$SERVER_AUTH"
    set_property Organization "Team $(callback GetRequestAttribute Team || echo unknown)"
    case $(get .new):$all in
    true:*'*'*) pend "a wildcard waits for an administrator" ;;
    *) issue ;;
    esac
}
serve_policy
