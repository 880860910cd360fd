/* Exit events (P13): owed in the same transaction as the final row, delivered at least once to each
 * module by one dispatcher thread, in the order of the commits, and crossed off afterwards. A burst
 * beyond the queue in memory is read back from the outbox itself.
 * Thread: chy_outbox_give on the writer; delivery on the dispatcher. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ca/ca_internal.h"

/* Events are told and crossed off in batches, unless that would keep one waiting. */
enum { BATCH = 64, GATHER_US = 1000, CROSSING_US = 10000, RETRY_US = 500000 };

size_t chy_outbox_owe_event(const struct chy_ca *ca, int32_t event, struct chy_owed *owed)
{
    size_t n = 0;
    for (size_t i = 0; i < ca->n_exits; i++) {
        if (!ca->exits[i].instance || !(ca->exits[i].mask & event)) continue;
        owed[n++] = (struct chy_owed){ca->exits[i].name, event};
    }
    return n;
}

void chy_outbox_owe(struct chy_request *r)
{
    _Static_assert((int)CHY_REQUEST_MAX_OWED >= (int)CHY_CA_MAX_EXITS, "one event for each module");
    r->n_owed = chy_outbox_owe_event(r->ca, r->event, r->owed);
}

void chy_outbox_behind(struct chy_ca *ca, size_t n)
{
    if (!n) return;
    atomic_fetch_add(&ca->outbox_backlog, n);
    atomic_store(&ca->exit_behind, true);
    if (!atomic_exchange(&ca->exit_wake_queued, true) &&
        !chy_queue_push(&ca->exit_queue, &ca->exit_wake))
        atomic_store(&ca->exit_wake_queued, false);
}

void chy_outbox_give(struct chy_request *r)
{
    struct chy_ca *ca = r->ca;
    atomic_fetch_add(&ca->outbox_backlog, r->n_owed);
    if (atomic_load(&ca->exit_behind)) return;
    if (chy_queue_len(&ca->exit_queue) >= CHY_CA_EXIT_QUEUE_MAX) {
        atomic_store(&ca->exit_behind, true);
        return;
    }
    atomic_fetch_add(&r->refs, 1);
    if (!chy_queue_push(&ca->exit_queue, &r->exit_node)) chy_request_unref(r);
}

static void crossed_off(struct chy_write *w, void *arg)
{
    struct chy_ca *ca = arg;
    if (w->result == CHY_S_OK) {
        atomic_fetch_sub(&ca->outbox_backlog, w->n_owed);
        chy_free(w);
        return;
    }
    /* Kept until storage works again; if the daemon ends first, it is delivered again: at least
     * once. */
    pthread_mutex_lock(&ca->lock);
    w->node.next = ca->uncrossed;
    ca->uncrossed = &w->node;
    pthread_mutex_unlock(&ca->lock);
    chy_health_store_failed(ca, &w->err);
}

static struct chy_node *take_uncrossed(struct chy_ca *ca)
{
    pthread_mutex_lock(&ca->lock);
    struct chy_node *n = ca->uncrossed;
    ca->uncrossed = NULL;
    pthread_mutex_unlock(&ca->lock);
    return n;
}

void chy_outbox_healed(struct chy_ca *ca)
{
    struct chy_node *next;
    for (struct chy_node *n = take_uncrossed(ca); n; n = next) {
        next = n->next;
        chy_store_write(ca->store, (struct chy_write *)(void *)n);
    }
}

void chy_outbox_fini(struct chy_ca *ca)
{
    struct chy_node *next;
    for (struct chy_node *n = take_uncrossed(ca); n; n = next) {
        next = n->next;
        chy_free(n);
    }
}

/* False: there is no memory for it now. */
static bool write_crossings(struct chy_ca *ca)
{
    if (!ca->n_crossing) return true;
    struct chy_write *w = chy_calloc(1, sizeof(*w));
    if (!w) return false;
    w->kind = CHY_WRITE_OUTBOX_DONE;
    w->outbox_seq = ca->crossing;
    w->n_owed = (size_t)ca->n_crossing;
    w->done = crossed_off;
    w->arg = ca;
    ca->n_crossing = 0;
    chy_store_write(ca->store, w);
    return true;
}

static bool crossings_are_old(struct chy_ca *ca)
{
    return ca->n_crossing && chy_monotonic(ca->clock) - ca->crossing_since > CROSSING_US;
}

/* What can neither be written now nor wait for better times is told again at the next start: at
 * least once. */
static void cross_off(struct chy_ca *ca, int64_t seq)
{
    if (seq != ca->crossing + ca->n_crossing && !write_crossings(ca)) ca->n_crossing = 0;
    if (!ca->n_crossing) {
        ca->crossing = seq;
        ca->crossing_since = chy_monotonic(ca->clock);
    }
    ca->n_crossing++;
    if (crossings_are_old(ca)) (void)write_crossings(ca);
}

static struct chy_exit_slot *slot_of(struct chy_ca *ca, const char *module)
{
    for (size_t i = 0; i < ca->n_exits; i++) {
        if (strcmp(ca->exits[i].name, module) == 0) return &ca->exits[i];
    }
    return NULL;
}

enum told {
    TOLD,
    STILL_OWED,
    UNREAD, /* the store fails */
    LOST    /* this thread was given up: touch nothing */
};

/* AD CS: a Notify that fails is logged and otherwise ignored. One that was never made, because the
 * module is out of use, stays owed. */
static enum told notify(struct chy_ca *ca, struct chy_exit_slot *slot, chy_long event,
                        struct chy_request *r)
{
    struct chy_err err = {0};
    bool abandoned = false;
    (void)CHY_FAULT("exit.before");
    atomic_fetch_add(&slot->calls, 1);
    chy_hresult hr = chy_exit_notify(slot->instance, event, r, &abandoned, &err);
    (void)CHY_FAULT("exit.after");
    if (abandoned) return LOST;
    if (hr == CHY_S_OK) return TOLD;
    atomic_fetch_add(&slot->failures, 1);
    chy_log(CHY_LOG_LEVEL_WARNING, "exit.failed", "ca", chy_ca_name(ca), "module", slot->name,
            "error", err.text, NULL);
    struct chy_instance_info info;
    chy_instance_info(slot->instance, &info);
    return info.quarantined ? STILL_OWED : TOLD;
}

/* False: the thread is lost. */
static bool deliver(struct chy_ca *ca, struct chy_request *r, const char *module, chy_long event,
                    int64_t seq)
{
    struct chy_exit_slot *slot = slot_of(ca, module);
    if (seq > atomic_load(&ca->exit_done_seq)) atomic_store(&ca->exit_done_seq, seq);
    if (!slot || !slot->instance) return true; /* stays owed until the module is there again */
    if (crossings_are_old(ca))
        (void)write_crossings(ca); /* not to wait for a call that may take long */
    enum told told = notify(ca, slot, event, r);
    if (told == TOLD) cross_off(ca, seq);
    return told != LOST;
}

static bool deliver_request(struct chy_ca *ca, struct chy_request *r)
{
    for (size_t i = 0; i < r->n_owed; i++) {
        int64_t seq = r->first_seq + (int64_t)i;
        if (seq <= atomic_load(&ca->exit_done_seq)) continue; /* already read from the outbox */
        if (!deliver(ca, r, r->owed[i].module, r->owed[i].event, seq)) return false;
    }
    chy_request_unref(r);
    return true;
}

static enum told deliver_entry(struct chy_ca *ca, const struct chy_outbox_entry *e)
{
    struct chy_row row;
    enum told told = STILL_OWED;
    if (!e->request_id) /* of no request: CRLs */
        return deliver(ca, NULL, e->module, e->event, e->seq) ? STILL_OWED : LOST;
    struct chy_request *r = chy_request_new(ca);
    if (!r) return UNREAD;
    chy_hresult hr = ca->store->ops->get(ca->store, e->request_id, &r->arena, &row, &r->err);
    /* What is not there or is no row will not become one. */
    bool again =
        hr != CHY_S_OK && hr != CHY_CERTSRV_E_PROPERTY_EMPTY && hr != CHY_ERROR_INVALID_DATA;
    if (hr == CHY_S_OK) {
        hr = chy_request_from_row(r, &row, &r->err);
        again = hr == CHY_E_OUTOFMEMORY;
    }
    if (hr == CHY_S_OK) {
        if (!deliver(ca, r, e->module, e->event, e->seq)) return LOST;
    } else {
        chy_log(CHY_LOG_LEVEL_ERROR, "exit.unreadable", "error", r->err.text, NULL);
        if (again)
            told = UNREAD;
        else
            atomic_store(&ca->exit_done_seq, e->seq);
    }
    chy_request_unref(r);
    return told;
}

/* Reads what is owed beyond the last delivered number. */
static enum told catch_up_batch(struct chy_ca *ca)
{
    struct chy_outbox_entry entry[BATCH];
    struct chy_arena a;
    struct chy_err err = {0};
    size_t n = BATCH;
    chy_arena_init(&a, 1 << 20);
    chy_hresult hr =
        ca->store->ops->outbox(ca->store, atomic_load(&ca->exit_done_seq), &a, entry, &n, &err);
    if (hr != CHY_S_OK) {
        chy_log(CHY_LOG_LEVEL_ERROR, "exit.outbox", "error", err.text, NULL);
        n = 0;
    }
    enum told told = hr != CHY_S_OK ? UNREAD : n ? STILL_OWED : TOLD;
    for (size_t i = 0; i < n && told == STILL_OWED; i++)
        told = deliver_entry(ca, &entry[i]);
    chy_arena_free(&a);
    if (told != LOST) (void)write_crossings(ca);
    return told;
}

static enum told catch_up_once(struct chy_ca *ca)
{
    enum told told;
    while ((told = catch_up_batch(ca)) == STILL_OWED) {
    }
    return told;
}

static bool is_closing(struct chy_ca *ca)
{
    return (atomic_load(&ca->trouble) & CHY_TROUBLE_CLOSING) != 0;
}

/* Until nothing is owed beyond the last delivered number: a store that cannot be read is asked
 * again until it can, or the CA stops. False: the thread is lost. */
static bool catch_up(struct chy_ca *ca)
{
    while (atomic_load(&ca->exit_behind)) {
        enum told told = catch_up_once(ca);
        if (told == TOLD) {
            atomic_store(&ca->exit_behind, false);
            told = catch_up_once(ca); /* committed between the last look and the flag */
        }
        if (told == LOST) return false;
        if (told != UNREAD) continue;
        if (is_closing(ca)) return true;
        atomic_store(&ca->exit_behind, true);
        chy_queue_gather(&ca->exit_queue, SIZE_MAX, RETRY_US);
    }
    return true;
}

/* What was taken is kept in the CA: a dispatcher that is lost inside a module leaves it to the
 * next. */
static struct chy_node *next_told(struct chy_ca *ca)
{
    if (!ca->exit_taken) {
        while (!write_crossings(ca) && !is_closing(ca) && !chy_queue_len(&ca->exit_queue))
            chy_queue_gather(&ca->exit_queue, 1, RETRY_US);
        chy_queue_wait(&ca->exit_queue);
        chy_queue_gather(&ca->exit_queue, BATCH, GATHER_US);
        ca->exit_taken = chy_queue_take_all(&ca->exit_queue, false);
    }
    struct chy_node *node = ca->exit_taken;
    if (node) ca->exit_taken = node->next;
    return node;
}

static void *dispatch(void *arg)
{
    struct chy_ca *ca = arg;
    for (;;) {
        if (!catch_up(ca)) return NULL;
        struct chy_node *node = next_told(ca);
        if (!node) return NULL;
        if (node == &ca->exit_wake) {
            atomic_store(&ca->exit_wake_queued, false);
            continue;
        }
        struct chy_request *r =
            (struct chy_request *)(void *)((char *)node - offsetof(struct chy_request, exit_node));
        if (!deliver_request(ca, r)) return NULL;
    }
}

/* Thread: the modules' deadline thread. What the lost dispatcher held stays owed in the outbox. */
void chy_outbox_replace(struct chy_ca *ca)
{
    pthread_detach(ca->dispatcher);
    atomic_store(&ca->exit_behind, true);
    ca->dispatcher_runs = chy_thread_start(&ca->dispatcher, "exit", dispatch, ca);
}

chy_hresult chy_outbox_start(struct chy_ca *ca, struct chy_err *err)
{
    chy_queue_init(&ca->exit_queue);
    atomic_store(&ca->exit_behind, true); /* what the last run still owed comes first */
    if (!chy_thread_start(&ca->dispatcher, "exit", dispatch, ca)) {
        return chy_fail(err, CHY_E_OUTOFMEMORY,
                        "exit dispatcher: the system refuses another thread");
    }
    ca->dispatcher_runs = true;
    return CHY_S_OK;
}

void chy_outbox_stop(struct chy_ca *ca)
{
    if (!ca->dispatcher_runs) return;
    chy_queue_close(&ca->exit_queue);
    pthread_join(ca->dispatcher, NULL);
    chy_queue_fini(&ca->exit_queue);
    ca->dispatcher_runs = false;
}

struct telling {
    struct chy_ca *ca;
    chy_long event;
    int32_t id;
};

static void tell(void *arg)
{
    struct telling *t = arg;
    struct chy_request *r = NULL;
    struct chy_row row;
    if (t->id) {
        r = chy_request_new(t->ca);
        if (!r ||
            t->ca->store->ops->get(t->ca->store, t->id, &r->arena, &row, &r->err) != CHY_S_OK ||
            chy_request_from_row(r, &row, &r->err) != CHY_S_OK) {
            goto out;
        }
        r->on_worker = true;
    }
    for (size_t i = 0; i < t->ca->n_exits; i++) {
        struct chy_exit_slot *slot = &t->ca->exits[i];
        if (!slot->instance || !(slot->mask & t->event)) continue;
        if (notify(t->ca, slot, t->event, r) == LOST) { /* the CA may be gone */
            chy_free(t);
            return;
        }
    }
out:
    chy_request_unref(r);
    chy_free(t);
}

static void *tell_thread(void *arg)
{
    tell(arg);
    return NULL;
}

/* The pool is about to end, and a module that hangs is not to keep the daemon from stopping. */
static void tell_apart(struct telling *t)
{
    struct chy_settings *s = chy_settings_get(t->ca);
    struct timespec until;
    pthread_t thread;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(s->module_timeout_ms / 1000 + 1);
    chy_settings_unref(s);
    if (!chy_thread_start(&thread, "exit-shutdown", tell_thread, t)) {
        chy_free(t);
    } else if (!chy_thread_join_until(thread, &until)) {
        pthread_detach(thread);
    }
}

void chy_outbox_tell(struct chy_ca *ca, chy_long event, int32_t id)
{
    bool wanted = false;
    for (size_t i = 0; i < ca->n_exits; i++)
        wanted = wanted || (ca->exits[i].instance && (ca->exits[i].mask & event));
    struct telling *t = wanted ? chy_malloc(sizeof(*t)) : NULL;
    if (!t) return;
    *t = (struct telling){ca, event, id};
    if (event == CHY_EXITEVENT_SHUTDOWN) {
        tell_apart(t);
    } else if (!chy_workers_run(ca->workers, tell, t)) {
        chy_free(t);
    }
}
