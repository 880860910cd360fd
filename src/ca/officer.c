/* What an officer may do to a request: resubmit, deny, set attributes, set an extension.
 * MS-CSRA 3.1.4.1: pending rows only; a CA administrator may also resubmit denied ones. */
#include <stdio.h>
#include <string.h>

#include "ca/ca_internal.h"

static chy_hresult load(struct chy_request *r)
{
    struct chy_row row;
    chy_hresult hr = r->ca->store->ops->get(r->ca->store, r->id, &r->arena, &row, &r->err);
    if (hr != CHY_S_OK) return hr;
    const char *officer = r->caller_name;
    hr = chy_request_from_row(r, &row, &r->err);
    if (hr == CHY_S_OK && !r->requester_name) r->requester_name = officer;
    return hr;
}

static chy_hresult check_state(struct chy_request *r, bool denied_too)
{
    if (r->disposition == CHY_DB_DISP_PENDING) return CHY_S_OK;
    if (denied_too && r->disposition == CHY_DB_DISP_DENIED) return CHY_S_OK;
    return chy_fail(
        &r->err, CHY_CERTSRV_E_BAD_REQUESTSTATUS,
        "request %d is not pending (its disposition is %d): only pending requests can be changed",
        r->id, r->disposition);
}

static void begin_evidence(struct chy_request *r, enum chy_evidence_kind kind, const char *officer)
{
    r->evidence.kind = kind;
    r->evidence.author = chy_span_cstr(officer);
    r->evidence.mark = r->received;
    r->evidence.queue_us = chy_evidence_lap(&r->evidence, chy_monotonic(r->ca->clock));
}

static void deny(struct chy_request *r, const char *officer)
{
    begin_evidence(r, CHY_EVIDENCE_DENIED, officer);
    char message[CHY_MESSAGE_MAX];
    snprintf(message, sizeof(message), "Denied by %s", officer);
    r->policy_message[0] = 0;
    chy_pipeline_conclude(r, CHY_DB_DISP_DENIED, CHY_CERTSRV_E_ADMIN_DENIED_REQUEST, message);
    chy_pipeline_write_final(r);
}

/* The row stays pending; only what hangs on it changes, and no event fires. */
static void rewrite_done(struct chy_write *w, void *arg)
{
    struct chy_request *r = arg;
    if (w->result == CHY_S_OK) {
        chy_pipeline_finish(r);
        return;
    }
    chy_health_store_failed(r->ca, &w->err);
    chy_fail(&r->err, w->result, "request %d: %s", r->id, w->err.text);
    chy_pipeline_refuse(r);
}

static void rewrite(struct chy_request *r)
{
    if (chy_request_to_row(r, &r->err) != CHY_S_OK) {
        chy_pipeline_refuse(r);
        return;
    }
    r->write = (struct chy_write){.kind = CHY_WRITE_FINAL,
                                  .row = &r->row,
                                  .evidence = chy_buf_span(&r->packed_evidence),
                                  .when = chy_now(r->ca->clock),
                                  .done = rewrite_done,
                                  .arg = r};
    chy_store_write(r->ca->store, &r->write);
}

static void set_extension(struct chy_request *r)
{
    struct chy_buf *b = &r->scratch;
    chy_buf_reset(b);
    chy_hresult hr = chy_extension_encode(r->new_ext_type, &r->new_ext_value, b, &r->err);
    int32_t flags = r->new_ext_flags & (CHY_EXTENSION_CRITICAL_FLAG | CHY_EXTENSION_DISABLE_FLAG);
    if (hr == CHY_S_OK) {
        hr = chy_request_change_extension(r, r->new_ext_oid, flags | CHY_EXTENSION_ORIGIN_ADMIN,
                                          chy_buf_span(b), &r->err);
    }
    if (hr == CHY_S_OK) {
        rewrite(r);
    } else {
        chy_pipeline_refuse(r);
    }
}

void chy_officer_run(struct chy_request *r, struct chy_worker *w)
{
    const char *officer = r->caller_name;
    struct chy_span new_attributes = r->input;
    bool admin = (r->caller_access & CHY_CA_ACCESS_ADMIN) != 0;
    if (load(r) != CHY_S_OK ||
        check_state(r, r->stage == CHY_STAGE_RESUBMIT && admin) != CHY_S_OK) {
        chy_pipeline_refuse(r);
        return;
    }
    switch (r->stage) {
    case CHY_STAGE_DENY: deny(r, officer); break;
    case CHY_STAGE_SET_ATTRIBUTES:
        begin_evidence(r, CHY_EVIDENCE_CHANGED, officer);
        chy_request_parse_attributes(r, new_attributes, true);
        rewrite(r);
        break;
    case CHY_STAGE_SET_EXTENSION:
        begin_evidence(r, CHY_EVIDENCE_CHANGED, officer);
        set_extension(r);
        break;
    case CHY_STAGE_RESUBMIT:
        r->policy_message[0] = 0;
        r->is_new = false;
        begin_evidence(r, CHY_EVIDENCE_POLICY, officer);
        if (chy_health_may_issue(r->ca, &r->err) != CHY_S_OK) {
            chy_pipeline_refuse(r);
        } else {
            chy_intake_decide(r, w);
        }
        break;
    case CHY_STAGE_INTAKE:
    case CHY_STAGE_SIGN: break; /* not an officer's */
    }
}

static struct chy_request *begin(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                                 enum chy_stage stage, chy_outcome_cb done, void *arg)
{
    struct chy_request *r = chy_request_new(ca);
    if (!r) {
        struct chy_outcome o = {.status = CHY_E_OUTOFMEMORY};
        chy_fail_nomem(&o.err, "request");
        done(&o, arg);
        return NULL;
    }
    chy_ca_enter(ca);
    r->stage = stage;
    r->received = chy_monotonic(ca->clock);
    r->done = done;
    r->done_arg = arg;
    r->caller_access = caller->access;
    r->caller_name = chy_arena_strdup(&r->arena, caller->name ? caller->name : "");
    if (!(caller->access & (CHY_CA_ACCESS_OFFICER | CHY_CA_ACCESS_ADMIN))) {
        chy_fail(&r->err, CHY_E_ACCESSDENIED, "%s is no officer of this CA", r->caller_name);
    } else if (!chy_ids_lock(ca, id)) {
        chy_fail(&r->err, CHY_CERTSRV_E_BAD_REQUESTSTATUS, "request %d is being worked on", id);
    } else {
        r->id = id;
        return r;
    }
    chy_pipeline_refuse(r);
    return NULL;
}

void chy_ca_resubmit(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                     chy_outcome_cb done, void *arg)
{
    struct chy_request *r = begin(ca, caller, id, CHY_STAGE_RESUBMIT, done, arg);
    if (r) chy_pipeline_start(r);
}

void chy_ca_deny(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                 chy_outcome_cb done, void *arg)
{
    struct chy_request *r = begin(ca, caller, id, CHY_STAGE_DENY, done, arg);
    if (r) chy_pipeline_start(r);
}

void chy_ca_set_attributes(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                           struct chy_span attributes, chy_outcome_cb done, void *arg)
{
    struct chy_request *r = begin(ca, caller, id, CHY_STAGE_SET_ATTRIBUTES, done, arg);
    if (!r) return;
    r->input = chy_arena_dup(&r->arena, attributes);
    chy_pipeline_start(r);
}

void chy_ca_set_extension(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                          const char *oid, chy_long type, chy_long flags, const chy_variant *value,
                          chy_outcome_cb done, void *arg)
{
    struct chy_request *r = begin(ca, caller, id, CHY_STAGE_SET_EXTENSION, done, arg);
    if (!r) return;
    r->new_ext_oid = chy_arena_strdup(&r->arena, oid);
    r->new_ext_type = type;
    r->new_ext_flags = flags;
    r->new_ext_value = *value;
    if (value->vt == CHY_VT_STR) {
        r->new_ext_value.u.s.p = chy_arena_strndup(&r->arena, value->u.s.p, value->u.s.n);
    } else if (value->vt == CHY_VT_BYTES) {
        struct chy_span copy = chy_arena_dup(&r->arena, chy_span_of(value->u.b.p, value->u.b.n));
        r->new_ext_value.u.b.p = chy_arena_alloc(&r->arena, copy.n + 1);
        if (r->new_ext_value.u.b.p && copy.n) memcpy(r->new_ext_value.u.b.p, copy.p, copy.n);
    }
    bool have = r->new_ext_oid && (value->vt != CHY_VT_STR || r->new_ext_value.u.s.p) &&
                (value->vt != CHY_VT_BYTES || r->new_ext_value.u.b.p);
    if (have) {
        chy_pipeline_start(r);
        return;
    }
    chy_fail_nomem(&r->err, "request");
    chy_pipeline_refuse(r);
}
