/* A request that is only tried: everything up to the verdict and the certificate that would be
 * signed happens as it would, on the same code; then it ends. Nothing is written, no id is taken,
 * no event is owed, no counter moves, and the key is not asked. */
#include <stdio.h>

#include "ca/ca_internal.h"

void chy_dry_run_end(struct chy_request *r)
{
    struct chy_evidence *e = &r->evidence;
    char code[16];
    if (r->disposition == CHY_DB_DISP_ACTIVE) chy_issue_say(r);
    r->resolved_when = chy_now(r->ca->clock);
    e->disposition = r->disposition;
    e->status = r->status;
    e->message = chy_span_cstr(r->message);
    snprintf(code, sizeof(code), "0x%08x", (unsigned)r->status);
    chy_log(CHY_LOG_LEVEL_INFO, "request.tried", "ca", chy_ca_name(r->ca), "requester",
            r->requester_name ? r->requester_name : "", "outcome",
            chy_disposition_name(r->disposition), "status", code, "message", r->message, NULL);
    chy_pipeline_finish(r);
}

void chy_dry_run_outcome(const struct chy_request *r, struct chy_outcome *o)
{
    o->dry_run = true;
    o->evidence = &r->evidence;
    o->decided_when = r->resolved_when;
    if (r->disposition == CHY_DB_DISP_ISSUED) o->tbs = chy_buf_span(&r->tbs);
}
