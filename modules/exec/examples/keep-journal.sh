#!/bin/sh
# An exit: one line per event in the file Program/Journal, however often an event is delivered.
. "${CHANCERY_HELPERS:-/usr/lib/chancery/helpers}/chancery_module.sh"

notify() {
    journal=$(setting Journal) id=$(get .EventID)
    [ -n "$id" ] && grep -Fqs "$id " "$journal" && return 0
    printf '%s %s %s %s\n' "${id:--}" "$(get .event)" "$(get .request.RequestID)" "$(get .certificate.SerialNumber)" >>"$journal"
}
serve_exit certissued certdenied certpending certrevoked
