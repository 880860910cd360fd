/* After a stop in the middle: intents without a final row. The policy had approved them and a
 * signature may have been made over exactly these octets, so each is finished as it was meant:
 * signed again and recorded, that no certificate can exist which the database does not know. */
#include <stdio.h>
#include <string.h>

#include "ca/ca_internal.h"

struct pass {
    struct chy_ca *ca;
    size_t n;
};

static chy_hresult take_intent(struct chy_request *r, const struct chy_intent *intent)
{
    chy_hresult hr = chy_request_from_row(r, &intent->row, &r->err);
    if (hr != CHY_S_OK) return hr;
    r->evidence.kind = CHY_EVIDENCE_SETTLED;
    chy_buf_reset(&r->tbs);
    chy_buf_add_span(&r->tbs, intent->tbs);
    return chy_buf_done(&r->tbs, "intent", &r->err);
}

static void settled(const struct chy_outcome *o, void *arg)
{
    (void)arg;
    char id[16];
    snprintf(id, sizeof(id), "%d", o->request_id);
    chy_log(CHY_LOG_LEVEL_WARNING, "request.settled", "id", id, "outcome",
            o->status == CHY_S_OK && o->disposition == CHY_DB_DISP_ISSUED ? "issued" : "failed",
            NULL);
}

/* The list of intents may be older than the end of a request that was on its way then. */
static bool still_active(struct chy_request *r, int32_t id)
{
    struct chy_store *store = r->ca->store;
    struct chy_row row;
    return store->ops->get(store, id, &r->arena, &row, &r->err) != CHY_S_OK ||
           row.disposition == CHY_DB_DISP_ACTIVE;
}

static bool settle_one(const struct chy_intent *intent, void *arg)
{
    struct pass *p = arg;
    if (!chy_ids_lock(p->ca, intent->row.id)) return true; /* still on its way */
    struct chy_request *r = chy_request_new(p->ca);
    if (!r || !still_active(r, intent->row.id)) {
        if (!r) atomic_store(&p->ca->unsettled, true);
        chy_ids_unlock(p->ca, intent->row.id);
        chy_request_unref(r);
        return r != NULL;
    }
    chy_ca_enter(p->ca);
    p->n++;
    r->done = settled;
    if (take_intent(r, intent) == CHY_S_OK) {
        r->stage = CHY_STAGE_SIGN;
        chy_pipeline_start(r);
        return true;
    }
    chy_log(CHY_LOG_LEVEL_ERROR, "request.unsettled", "error", r->err.text, NULL);
    if (r->err.code == CHY_E_OUTOFMEMORY) atomic_store(&p->ca->unsettled, true);
    r->id = intent->row.id;
    chy_pipeline_refuse(r);
    return true;
}

chy_hresult chy_settle(struct chy_ca *ca, struct chy_err *err)
{
    struct pass p = {.ca = ca};
    atomic_store(&ca->unsettled, false);
    chy_hresult hr = ca->store->ops->intents(ca->store, settle_one, &p, err);
    if (hr != CHY_S_OK) atomic_store(&ca->unsettled, true);
    if (hr == CHY_S_OK && p.n) {
        char n[24];
        snprintf(n, sizeof(n), "%zu", p.n);
        chy_log(CHY_LOG_LEVEL_WARNING, "ca.settling", "ca", chy_ca_name(ca), "requests", n, NULL);
    }
    return hr;
}
