/* Telling a module again. What was given up is tried once more where it stands; an event that was
 * crossed off is made anew from the row and its history, under its old EventID. */
#include <stdio.h>
#include <string.h>

#include "ca/ca_internal.h"
#include "ca/events.h"

enum { TOGETHER = 256, ROWS_MAX = 10000 };

/* Where a replay by time stands: first the decisions, then the revocations. */
#define REVOCATIONS (INT64_C(1) << 40)

struct batch {
    struct chy_exit_slot *slot;
    struct chy_replay *replay;
    chy_hresult hr;
    struct chy_err *err;
    struct chy_write write[TOGETHER];
    struct chy_outbox_entry entry[TOGETHER];
    struct chy_owed owed[TOGETHER];
    size_t n;
    uint32_t rows;
    int32_t last_id;
    int32_t history_of[TOGETHER];
    size_t n_history;
};

/* What was committed is owed, whatever became of the rest. */
static chy_hresult write_batch(struct batch *b)
{
    struct chy_store *store = b->slot->ca->store;
    size_t n_owed = 0;
    if (!b->n || b->hr != CHY_S_OK) return b->hr;
    chy_outbox_apart(b->slot->ca);
    for (size_t i = 0; i + 1 < b->n; i++)
        chy_store_write(store, &b->write[i]);
    b->hr = chy_store_write_wait(store, &b->write[b->n - 1], b->err);
    for (size_t i = 0; i < b->n; i++) {
        if (b->write[i].result == CHY_S_OK)
            n_owed++;
        else if (b->hr == CHY_S_OK)
            b->hr = chy_fail(b->err, b->write[i].result, "%s", b->write[i].err.text);
    }
    b->replay->owed += n_owed;
    atomic_fetch_add(&b->slot->backlog, n_owed);
    if (b->replay->failed) {
        chy_exit_count(b->slot);
        atomic_store(&b->slot->recount, true);
    }
    chy_exit_wake(b->slot);
    chy_outbox_together(b->slot->ca);
    b->n = 0;
    return b->hr;
}

static void owe(struct batch *b, int32_t request_id, int32_t event, chy_time occurred)
{
    if (b->hr != CHY_S_OK || !(b->slot->mask & event) || occurred == CHY_TIME_DEFAULT) return;
    size_t i = b->n++;
    b->owed[i] = (struct chy_owed){b->slot->name, event};
    b->entry[i] = (struct chy_outbox_entry){.request_id = request_id};
    b->write[i] = (struct chy_write){.kind = CHY_WRITE_OUTBOX_ADD,
                                     .entry = &b->entry[i],
                                     .owed = &b->owed[i],
                                     .n_owed = 1,
                                     .when = occurred};
    if (b->n == TOGETHER) (void)write_batch(b);
}

static void owe_decision(struct batch *b, const struct chy_row *row)
{
    switch (row->disposition) {
    case CHY_DB_DISP_ISSUED:
    case CHY_DB_DISP_REVOKED: owe(b, row->id, CHY_EXITEVENT_CERTISSUED, row->resolved_when); break;
    case CHY_DB_DISP_PENDING: owe(b, row->id, CHY_EXITEVENT_CERTPENDING, row->resolved_when); break;
    case CHY_DB_DISP_DENIED: owe(b, row->id, CHY_EXITEVENT_CERTDENIED, row->resolved_when); break;
    default: break;
    }
}

static bool owe_change(const struct chy_revocation *r, void *arg)
{
    struct batch *b = arg;
    bool in_time = b->replay->since == CHY_TIME_DEFAULT || r->revoked_when >= b->replay->since;
    if (in_time) owe(b, r->request_id, chy_revoke_event(r->reason), r->revoked_when);
    return b->hr == CHY_S_OK;
}

static chy_hresult owe_changes(struct batch *b, int32_t id)
{
    struct chy_store *store = b->slot->ca->store;
    if (b->hr == CHY_S_OK) b->hr = store->ops->history(store, id, owe_change, b, b->err);
    return b->hr;
}

/* ---- what was given up ---- */
static chy_hresult revive(struct batch *b)
{
    struct chy_store *store = b->slot->ca->store;
    struct chy_outbox_query q = {.kind = CHY_OUTBOX_FAILED,
                                 .module = b->slot->name,
                                 .after = b->replay->after,
                                 .request_id = b->replay->request_id};
    struct chy_arena a;
    size_t n = TOGETHER;
    chy_time now = chy_now(b->slot->ca->clock);
    chy_arena_init(&a, 1 << 20);
    b->hr = store->ops->outbox(store, &q, &a, b->entry, &n, b->err);
    for (size_t i = 0; b->hr == CHY_S_OK && i < n; i++) {
        b->entry[i].attempts = 0;
        b->entry[i].next_try = now;
        b->entry[i].first_failed = b->entry[i].failed_when = CHY_TIME_DEFAULT;
        b->write[i] = (struct chy_write){.kind = CHY_WRITE_OUTBOX_ASIDE, .entry = &b->entry[i]};
        b->n = i + 1;
    }
    b->replay->after = n == TOGETHER ? b->entry[n - 1].seq : 0;
    (void)write_batch(b);
    chy_arena_free(&a);
    return b->hr;
}

/* ---- those of a request ---- */
static chy_hresult of_request(struct batch *b)
{
    struct chy_store *store = b->slot->ca->store;
    struct chy_arena a;
    struct chy_row row;
    int32_t id = b->replay->request_id;
    chy_arena_init(&a, 1 << 20);
    b->hr = store->ops->get(store, id, &a, &row, b->err);
    if (b->hr == CHY_CERTSRV_E_PROPERTY_EMPTY)
        b->hr = chy_fail(b->err, CHY_ERROR_FILE_NOT_FOUND, "request %d: there is none", (int)id);
    if (b->hr == CHY_S_OK) owe_decision(b, &row);
    chy_arena_free(&a);
    if (owe_changes(b, id) == CHY_S_OK) (void)write_batch(b);
    b->replay->after = 0;
    return b->hr;
}

/* ---- all since ---- */
static bool take_row(const struct chy_row *row, void *arg)
{
    struct batch *b = arg;
    b->rows++;
    b->last_id = row->id;
    if (b->replay->after < REVOCATIONS)
        owe_decision(b, row);
    else
        b->history_of[b->n_history++] = row->id;
    return b->hr == CHY_S_OK && b->n_history < TOGETHER;
}

static chy_hresult since(struct batch *b)
{
    struct chy_store *store = b->slot->ca->store;
    bool revocations = b->replay->after >= REVOCATIONS;
    uint32_t limit = revocations ? TOGETHER : b->replay->limit;
    /* The row of one that was released keeps the date of its hold: its history has the others. */
    struct chy_filter f = {.column = revocations ? "revoked_when" : "resolved_when",
                           .seek = revocations ? CHY_SEEK_NE : CHY_SEEK_GE,
                           .number = revocations ? CHY_TIME_DEFAULT : b->replay->since};
    struct chy_query q = {.filter = &f,
                          .n_filter = 1,
                          .after_id = (int32_t)(b->replay->after & INT32_MAX),
                          .limit = limit};
    b->hr = store->ops->query(store, &q, take_row, b, b->err);
    for (size_t i = 0; i < b->n_history; i++)
        (void)owe_changes(b, b->history_of[i]);
    if (write_batch(b) != CHY_S_OK) return b->hr;
    if (b->rows == limit)
        b->replay->after = (revocations ? REVOCATIONS : 0) | b->last_id;
    else
        b->replay->after = revocations ? 0 : REVOCATIONS;
    return CHY_S_OK;
}

chy_hresult chy_ca_replay(struct chy_ca *ca, const struct chy_caller *caller, struct chy_replay *r,
                          struct chy_err *err)
{
    if (!(caller->access & CHY_CA_ACCESS_ADMIN))
        return chy_fail(err, CHY_E_ACCESSDENIED, "%s may not replay exit events", caller->name);
    bool by_time = r->since != CHY_TIME_DEFAULT;
    if (!r->failed && !r->request_id && !by_time)
        return chy_fail(err, CHY_E_INVALIDARG,
                        "replay: which events is expected: failed, a request, or since when");
    struct batch *b = chy_calloc(1, sizeof(*b));
    if (!b) return chy_fail_nomem(err, "replay");
    b->replay = r;
    b->err = err;
    r->owed = 0;
    if (!r->limit || r->limit > ROWS_MAX) r->limit = ROWS_MAX;
    b->slot = chy_exit_of_name(ca, r->module);
    chy_hresult hr = CHY_S_OK;
    if (!b->slot)
        hr = chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                      "exit module \"%.64s\": the CA has none of that name; see chancery module "
                      "list",
                      r->module);
    /* One at a time: two would count what they revive twice. */
    pthread_mutex_lock(&ca->replay_lock);
    if (hr == CHY_S_OK) hr = r->failed ? revive(b) : r->request_id ? of_request(b) : since(b);
    pthread_mutex_unlock(&ca->replay_lock);
    chy_free(b);
    return hr;
}
