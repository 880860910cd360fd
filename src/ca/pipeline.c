/* The pipeline's frame: how a request enters, moves between threads, is written and completes.
 * Order (P2): intent durable, signature, certificate durable, completion. */
#include <stdio.h>

#include "base/text.h"
#include "ca/ca_internal.h"

static void run_stage(struct chy_job *job, struct chy_worker *w)
{
    struct chy_request *r = (struct chy_request *)(void *)job;
    switch (r->stage) {
    case CHY_STAGE_INTAKE: chy_intake_run(r, w); break;
    case CHY_STAGE_SIGN: chy_issue_sign(r, w); break;
    case CHY_STAGE_RESUBMIT:
    case CHY_STAGE_DENY:
    case CHY_STAGE_SET_ATTRIBUTES:
    case CHY_STAGE_SET_EXTENSION: chy_officer_run(r, w); break;
    }
}

void chy_pipeline_start(struct chy_request *r)
{
    r->job.run = run_stage;
    if (chy_workers_add(r->ca->workers, &r->job)) return;
    chy_fail(&r->err, CHY_ERROR_BUSY, "the request queue is full (%d): try again in a moment",
             CHY_WORKERS_QUEUE_MAX);
    chy_pipeline_refuse(r);
}

static void count_outcome(struct chy_ca *ca, int32_t disposition)
{
    switch (disposition) {
    case CHY_DB_DISP_ISSUED: atomic_fetch_add(&ca->issued, 1); break;
    case CHY_DB_DISP_PENDING: atomic_fetch_add(&ca->pending, 1); break;
    case CHY_DB_DISP_DENIED: atomic_fetch_add(&ca->denied, 1); break;
    case CHY_DB_DISP_ERROR: atomic_fetch_add(&ca->failed, 1); break;
    default: break;
    }
}

/* Exit modules may hold it still: nobody waits for those. */
static void complete(struct chy_request *r, chy_hresult status)
{
    struct chy_outcome o = {.status = status, .err = r->err};
    struct chy_ca *ca = r->ca;
    if (status == CHY_S_OK) {
        o.request_id = r->id;
        o.disposition = r->disposition;
        o.request_status = r->status;
        o.message = chy_span_cstr(r->message);
        if (r->dry_run) {
            chy_dry_run_outcome(r, &o);
        } else if (r->disposition == CHY_DB_DISP_ISSUED) {
            o.serial = CHY_SPAN(r->serial);
            o.certificate = chy_buf_span(&r->certificate);
        }
    }
    (void)CHY_FAULT("reply.before");
    /* The id is free before the answer leaves: who acts on the answer at once must not find it
     * taken. */
    if (r->id) chy_ids_unlock(r->ca, r->id);
    if (r->done) r->done(&o, r->done_arg);
    chy_request_unref(r);
    chy_ca_leave(ca);
}

void chy_pipeline_refuse(struct chy_request *r)
{
    if (!r->dry_run) atomic_fetch_add(&r->ca->refused, 1);
    complete(r, r->err.code);
}

void chy_pipeline_finish(struct chy_request *r)
{
    complete(r, CHY_S_OK);
}

void chy_pipeline_conclude(struct chy_request *r, int32_t disposition, chy_hresult status,
                           const char *message)
{
    r->disposition = disposition;
    r->status = status;
    size_t n = chy_text_copy(r->message, sizeof(r->message), message);
    if (r->policy_message[0])
        snprintf(r->message + n, sizeof(r->message) - n, ": %s", r->policy_message);
}

static void log_outcome(const struct chy_request *r)
{
    char id[16], serial[2 * CHY_SERIAL_LEN + 1] = "", code[16];
    if (!chy_log_on(CHY_LOG_LEVEL_INFO)) return;
    snprintf(id, sizeof(id), "%d", r->id);
    snprintf(code, sizeof(code), "0x%08x", (unsigned)r->status);
    if (r->disposition == CHY_DB_DISP_ISSUED) chy_hex_cstr(serial, CHY_SPAN(r->serial));
    const char *event = r->disposition == CHY_DB_DISP_ISSUED    ? "request.issued"
                        : r->disposition == CHY_DB_DISP_PENDING ? "request.pending"
                        : r->disposition == CHY_DB_DISP_DENIED  ? "request.denied"
                                                                : "request.failed";
    chy_log(CHY_LOG_LEVEL_INFO, event, "ca", chy_ca_name(r->ca), "id", id, "requester",
            r->requester_name ? r->requester_name : "", "serial", serial, "status", code, "message",
            r->message, NULL);
}

/* Thread: writer. */
static void final_done(struct chy_write *w, void *arg)
{
    struct chy_request *r = arg;
    if (w->result != CHY_S_OK) {
        atomic_store(&r->ca->unsettled, true);
        chy_health_store_failed(r->ca, &w->err);
        chy_err_clear(&r->err);
        chy_fail(&r->err, w->result, "request %d: its outcome could not be stored: %s", r->id,
                 w->err.text);
        atomic_fetch_add(&r->ca->refused, 1);
        complete(r, r->err.code);
        return;
    }
    (void)CHY_FAULT("final.after_commit");
    count_outcome(r->ca, r->disposition);
    log_outcome(r);
    r->first_seq = w->outbox_seq;
    if (!r->n_owed) {
        chy_pipeline_finish(r);
    } else if (!r->ca->sync_runs) {
        chy_outbox_give(r);
        chy_pipeline_finish(r);
    } else {
        chy_exit_hold(r, chy_pipeline_finish);
        chy_outbox_give(r);
        chy_exit_held(r);
    }
}

static int32_t event_of(int32_t disposition)
{
    switch (disposition) {
    case CHY_DB_DISP_ISSUED: return CHY_EXITEVENT_CERTISSUED;
    case CHY_DB_DISP_PENDING: return CHY_EXITEVENT_CERTPENDING;
    case CHY_DB_DISP_DENIED: return CHY_EXITEVENT_CERTDENIED;
    default: return CHY_EXITEVENT_INVALID;
    }
}

void chy_pipeline_write_final(struct chy_request *r)
{
    if (r->dry_run) {
        chy_dry_run_end(r);
        return;
    }
    r->resolved_when = chy_now(r->ca->clock);
    r->event = event_of(r->disposition);
    r->n_owed = 0;
    chy_outbox_owe(r);
    struct chy_err err = {0}; /* the error of the outcome is not that of storing it */
    if (chy_request_to_row(r, &err) != CHY_S_OK) {
        chy_err_clear(&r->err);
        chy_fail(&r->err, err.code, "request %d: its outcome could not be stored: %s", r->id,
                 err.text);
        atomic_store(&r->ca->unsettled, true); /* an intent there may be is finished later */
        chy_pipeline_refuse(r);
        return;
    }
    r->write = (struct chy_write){.kind = CHY_WRITE_FINAL,
                                  .row = &r->row,
                                  .evidence = chy_buf_span(&r->packed_evidence),
                                  .owed = r->owed,
                                  .n_owed = r->n_owed,
                                  .when = r->resolved_when,
                                  .done = final_done,
                                  .soon = chy_workers_others(r->ca->workers),
                                  .arg = r};
    (void)CHY_FAULT("final.before_write");
    chy_store_write(r->ca->store, &r->write);
}
