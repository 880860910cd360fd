/* The dispatcher of one exit module: what is owed is told, in the order of the commits. A burst
 * beyond the queue in memory is read back from the outbox itself. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ca/ca_internal.h"

/* Events are told and crossed off in batches, unless that would keep one waiting. */
enum { BATCH = 64, GATHER_US = 1000, RETRY_US = 500000, LOOK_AGAIN_US = 1000000, STOP_US = 500000 };

/* What little is owed is told before the CA stops; much of it has to wait. */
bool chy_exit_is_closing(const struct chy_exit_slot *slot)
{
    return atomic_load(&slot->stopping) && chy_monotonic(slot->ca->clock) > slot->stop_by;
}

bool chy_exit_may_tell(const struct chy_exit_slot *slot)
{
    return !chy_exit_is_closing(slot) && !atomic_load(&slot->paused);
}

void chy_exit_wake(struct chy_exit_slot *slot)
{
    if (!slot->runs) return;
    atomic_store(&slot->behind, true);
    if (!atomic_exchange(&slot->wake_queued, true) && !chy_queue_push(&slot->queue, &slot->wake))
        atomic_store(&slot->wake_queued, false);
}

void chy_exit_owed(struct chy_exit_slot *slot)
{
    int64_t never = CHY_TIME_DEFAULT;
    atomic_fetch_add(&slot->backlog, 1);
    if (!slot->runs)
        (void)atomic_compare_exchange_strong(&slot->at_event, &never, chy_now(slot->ca->clock));
}

void chy_exit_give(struct chy_exit_slot *slot, struct chy_request *r, bool live)
{
    chy_exit_owed(slot);
    if (!slot->runs || (live && atomic_load(&slot->behind))) return;
    if (!live || atomic_load(&slot->ca->apart) ||
        chy_queue_len(&slot->queue) >= CHY_CA_EXIT_QUEUE_MAX) {
        chy_exit_wake(slot);
        return;
    }
    atomic_fetch_add(&r->refs, 1);
    if (!chy_queue_push(&slot->queue, &r->exit_node)) chy_request_unref(r);
}

static struct chy_request *of_node(struct chy_node *node)
{
    return (struct chy_request *)(void *)((char *)node - offsetof(struct chy_request, exit_node));
}

/* ---- one event ---- */
/* Events that are told once or not at all (their seq is 0) come from other threads: they do not
 * hide what the dispatcher tells meanwhile, nor end it. */
static void now_telling(struct chy_exit_slot *slot, const struct chy_told *t, bool is_owed)
{
    pthread_mutex_lock(&slot->lock);
    if (is_owed || !slot->now.attempt) slot->now = *t;
    pthread_mutex_unlock(&slot->lock);
}

static void no_longer_telling(struct chy_exit_slot *slot, const struct chy_told *t)
{
    pthread_mutex_lock(&slot->lock);
    if (slot->now.event == t->event && slot->now.occurred == t->occurred)
        slot->now = (struct chy_told){0};
    pthread_mutex_unlock(&slot->lock);
}

enum chy_exit_told chy_exit_tell(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                                 struct chy_request *r, struct chy_err *err)
{
    bool abandoned = false;
    struct chy_told told = {e->request_id, e->event, e->occurred, e->attempts + 1};
    if (r)
        r->told = told;
    else
        now_telling(slot, &told, e->seq != 0);
    if (e->seq) atomic_store(&slot->at_event, e->occurred);
    (void)CHY_FAULT("exit.before");
    atomic_fetch_add(&slot->calls, 1);
    chy_hresult hr = chy_exit_notify(slot->instance, e->event & CHY_EVENT_BITS, r, &abandoned, err);
    (void)CHY_FAULT("exit.after");
    if (abandoned) return CHY_EXIT_LOST;
    if (!r) no_longer_telling(slot, &told);
    if (hr == CHY_S_OK) {
        atomic_fetch_add(&slot->delivered, 1);
        return CHY_EXIT_TOLD;
    }
    atomic_fetch_add(&slot->failures, 1);
    chy_log(CHY_LOG_LEVEL_WARNING, "exit.failed", "ca", chy_ca_name(slot->ca), "module", slot->name,
            "error", err->text, NULL);
    return CHY_EXIT_REFUSED;
}

static bool is_out_of_use(struct chy_exit_slot *slot)
{
    struct chy_instance_info info;
    chy_instance_info(slot->instance, &info);
    return info.quarantined;
}

static void passed(struct chy_exit_slot *slot, int64_t seq)
{
    if (seq > atomic_load(&slot->done_seq)) atomic_store(&slot->done_seq, seq);
    chy_exit_let_go(slot, seq);
}

/* One in its turn. r NULL: of no request. */
static enum chy_exit_told in_turn(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                                  struct chy_request *r)
{
    struct chy_err err = {0};
    enum chy_exit_told told = chy_exit_behind_another(slot, e);
    if (told == CHY_EXIT_NOTHING) {
        if (chy_exit_crossings_are_old(slot))
            (void)chy_exit_write_crossings(slot); /* not to wait for a call that may take long */
        told = chy_exit_tell(slot, e, r, &err);
        if (told == CHY_EXIT_TOLD) {
            chy_exit_taken(slot);
            chy_exit_cross_off(slot, e->seq);
        } else if (told == CHY_EXIT_REFUSED) {
            /* A call that was never made, because the module is out of use, says nothing about the
             * event. */
            bool stays = is_out_of_use(slot) || !chy_exit_refused(slot, e, &err);
            if (stays) return CHY_EXIT_UNREAD;
        }
    }
    if (told == CHY_EXIT_TOLD || told == CHY_EXIT_REFUSED) passed(slot, e->seq);
    return told;
}

/* ---- from the queue ---- */
static enum chy_exit_told tell_request(struct chy_exit_slot *slot, struct chy_request *r)
{
    struct chy_outbox_entry e = {.seq = r->live_seq,
                                 .request_id = r->id,
                                 .event = r->event,
                                 .module = slot->name,
                                 .occurred = r->resolved_when,
                                 .next_try = CHY_TIME_DEFAULT,
                                 .first_failed = CHY_TIME_DEFAULT,
                                 .failed_when = CHY_TIME_DEFAULT};
    enum chy_exit_told told = CHY_EXIT_NOTHING;
    if (e.seq > atomic_load(&slot->done_seq)) told = in_turn(slot, &e, r);
    if (told != CHY_EXIT_LOST) chy_request_unref(r);
    return told;
}

/* What waits in memory is in the outbox too. */
static void drop_queue(struct chy_exit_slot *slot)
{
    struct chy_node *next, *list[] = {slot->taken, chy_queue_take_all(&slot->queue, false)};
    slot->taken = NULL;
    for (size_t i = 0; i < CHY_ARRAY_LEN(list); i++) {
        for (struct chy_node *n = list[i]; n; n = next) {
            next = n->next;
            if (n == &slot->wake)
                atomic_store(&slot->wake_queued, false);
            else
                chy_request_unref(of_node(n));
        }
    }
}

/* NULL: nothing came in time, or the queue is closed. */
static struct chy_node *next_node(struct chy_exit_slot *slot)
{
    if (!slot->taken) {
        while (!chy_exit_write_crossings(slot) && !chy_exit_is_closing(slot) &&
               !chy_queue_len(&slot->queue))
            chy_queue_gather(&slot->queue, 1, RETRY_US);
        if (atomic_load(&slot->n_aside) || atomic_load(&slot->recount) || slot->told_aside)
            chy_queue_gather(&slot->queue, 1, LOOK_AGAIN_US / 4);
        else
            chy_queue_wait(&slot->queue);
        if (chy_queue_len(&slot->queue)) chy_queue_gather(&slot->queue, BATCH, GATHER_US);
        slot->taken = chy_queue_take_all(&slot->queue, false);
    }
    struct chy_node *node = slot->taken;
    if (node) slot->taken = node->next;
    return node;
}

/* ---- from the outbox ---- */
static enum chy_exit_told read_request(struct chy_exit_slot *slot, int32_t id,
                                       struct chy_request **out, struct chy_err *err)
{
    struct chy_store *store = slot->ca->store;
    struct chy_row row;
    struct chy_request *r = chy_request_new(slot->ca);
    if (!r) return CHY_EXIT_UNREAD;
    chy_hresult hr = store->ops->get(store, id, &r->arena, &row, &r->err);
    /* What is not there or is no row will not become one. */
    bool again =
        hr != CHY_S_OK && hr != CHY_CERTSRV_E_PROPERTY_EMPTY && hr != CHY_ERROR_INVALID_DATA;
    if (hr == CHY_S_OK) {
        hr = chy_request_from_row(r, &row, &r->err);
        again = hr == CHY_E_OUTOFMEMORY;
    }
    if (hr == CHY_S_OK) {
        *out = r;
        return CHY_EXIT_TOLD;
    }
    chy_log(CHY_LOG_LEVEL_ERROR, "exit.unreadable", "error", r->err.text, NULL);
    if (err) *err = r->err;
    chy_request_unref(r);
    return again ? CHY_EXIT_UNREAD : CHY_EXIT_REFUSED;
}

enum chy_exit_told chy_exit_tell_read(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                                      struct chy_err *err)
{
    struct chy_request *r = NULL;
    enum chy_exit_told told = CHY_EXIT_TOLD;
    if (e->request_id) told = read_request(slot, e->request_id, &r, err);
    if (told == CHY_EXIT_TOLD) told = chy_exit_tell(slot, e, r, err);
    if (told != CHY_EXIT_LOST) chy_request_unref(r);
    return told;
}

/* Who is told of CRLs asks for them: they are there a moment after their records. */
static void wait_for_crls(struct chy_exit_slot *slot, const struct chy_outbox_entry *e)
{
    enum { STEP_US = 500 };
    while (!e->request_id && atomic_load(&slot->ca->crls_settling) && !chy_exit_is_closing(slot))
        usleep(STEP_US);
}

static enum chy_exit_told tell_entry(struct chy_exit_slot *slot, const struct chy_outbox_entry *e)
{
    struct chy_request *r = NULL;
    struct chy_err err = {0};
    enum chy_exit_told told = CHY_EXIT_TOLD;
    wait_for_crls(slot, e);
    if (e->request_id) told = read_request(slot, e->request_id, &r, &err);
    if (told == CHY_EXIT_TOLD) {
        told = in_turn(slot, e, r);
    } else if (told == CHY_EXIT_REFUSED) {
        if (!chy_exit_refused(slot, e, &err)) return CHY_EXIT_UNREAD;
        passed(slot, e->seq);
    }
    if (told != CHY_EXIT_LOST) chy_request_unref(r);
    return told;
}

/* Some of what is owed beyond the last number that was told. NOTHING: there is none. */
static enum chy_exit_told read_batch(struct chy_exit_slot *slot)
{
    struct chy_outbox_entry entry[BATCH];
    struct chy_outbox_query q = {
        .kind = CHY_OUTBOX_STRAIGHT, .module = slot->name, .after = atomic_load(&slot->done_seq)};
    struct chy_store *store = slot->ca->store;
    struct chy_arena a;
    struct chy_err err = {0};
    size_t n = BATCH;
    enum chy_exit_told told = CHY_EXIT_TOLD;
    chy_arena_init(&a, 1 << 20);
    if (store->ops->outbox(store, &q, &a, entry, &n, &err) != CHY_S_OK) {
        chy_log(CHY_LOG_LEVEL_ERROR, "exit.outbox", "error", err.text, NULL);
        told = CHY_EXIT_UNREAD;
    } else if (!n) {
        told = CHY_EXIT_NOTHING;
    }
    for (size_t i = 0; i < n && told == CHY_EXIT_TOLD && chy_exit_may_tell(slot); i++)
        told = tell_entry(slot, &entry[i]);
    chy_arena_free(&a);
    if (told != CHY_EXIT_LOST) (void)chy_exit_write_crossings(slot);
    return told;
}

static enum chy_exit_told read_all(struct chy_exit_slot *slot)
{
    enum chy_exit_told told;
    while ((told = read_batch(slot)) == CHY_EXIT_TOLD && chy_exit_may_tell(slot)) {
    }
    return told;
}

static enum chy_exit_told catch_up(struct chy_exit_slot *slot)
{
    enum chy_exit_told told = read_all(slot);
    if (told == CHY_EXIT_NOTHING) {
        atomic_store(&slot->behind, false);
        told = read_all(slot); /* committed between the last look and the flag */
    }
    if (told == CHY_EXIT_NOTHING || told == CHY_EXIT_LOST) return told;
    atomic_store(&slot->behind, true);
    return told;
}

/* ---- the thread ---- */
/* Waits while the module is paused, out of use, or left alone after failures. False: the CA stops.
 */
static bool wait_until_ready(struct chy_exit_slot *slot)
{
    for (;;) {
        int64_t left = slot->quiet_until - chy_monotonic(slot->ca->clock);
        bool rests = atomic_load(&slot->paused) || is_out_of_use(slot);
        if (!rests && left <= 0) return true;
        if (atomic_load(&slot->stopping)) return false;
        (void)chy_exit_write_crossings(slot);
        atomic_store(&slot->behind, true);
        drop_queue(slot);
        unsigned us = !rests && left < LOOK_AGAIN_US ? (unsigned)left : LOOK_AGAIN_US;
        chy_queue_gather(&slot->queue, 1, us);
    }
}

static enum chy_exit_told run_once(struct chy_exit_slot *slot, bool *over)
{
    /* Where one after the other is refused, those that were refused before do not come first each
     * time: the module may take others. */
    bool others_first = slot->failed_in_row && slot->retried;
    enum chy_exit_told told = others_first ? CHY_EXIT_NOTHING : chy_exit_retry(slot);
    slot->retried = told != CHY_EXIT_NOTHING;
    if (slot->retried) return told;
    if (atomic_load(&slot->behind)) return catch_up(slot);
    struct chy_node *node = next_node(slot);
    if (!node) {
        *over = atomic_load(&slot->stopping) && !chy_queue_len(&slot->queue) &&
                !atomic_load(&slot->behind);
        return CHY_EXIT_NOTHING;
    }
    if (node == &slot->wake) {
        atomic_store(&slot->wake_queued, false);
        return CHY_EXIT_NOTHING;
    }
    told = tell_request(slot, of_node(node));
    /* What was refused or could not be noted is in the outbox: all behind it is read from there. */
    if (told == CHY_EXIT_UNREAD) atomic_store(&slot->behind, true);
    return told;
}

static void *dispatch(void *arg)
{
    struct chy_exit_slot *slot = arg;
    bool over = false;
    /* What waits in memory is in the outbox too: it is no reason to go on. */
    while (!over && !chy_exit_is_closing(slot) && wait_until_ready(slot)) {
        enum chy_exit_told told = run_once(slot, &over);
        if (told == CHY_EXIT_LOST) return NULL;
        /* A store that fails is asked again until it works, or the CA stops. */
        if (told == CHY_EXIT_UNREAD && !chy_exit_is_closing(slot))
            chy_queue_gather(&slot->queue, SIZE_MAX, RETRY_US);
    }
    drop_queue(slot);
    (void)chy_exit_write_crossings(slot);
    return NULL;
}

static chy_time oldest(struct chy_exit_slot *slot)
{
    const struct chy_outbox_query q = {.kind = CHY_OUTBOX_STRAIGHT, .module = slot->name};
    struct chy_store *store = slot->ca->store;
    struct chy_outbox_entry first;
    struct chy_arena a;
    size_t n = 1;
    chy_arena_init(&a, 1 << 16);
    bool found = store->ops->outbox(store, &q, &a, &first, &n, NULL) == CHY_S_OK && n;
    chy_arena_free(&a);
    return found ? first.occurred : CHY_TIME_DEFAULT;
}

/* What the last run still owed comes first. */
static chy_hresult find_owed(struct chy_exit_slot *slot, struct chy_err *err)
{
    struct chy_outbox_counts c;
    struct chy_store *store = slot->ca->store;
    chy_hresult hr = store->ops->outbox_counts(store, slot->name, true, &c, err);
    if (hr != CHY_S_OK) return hr;
    atomic_store(&slot->backlog, c.straight + c.aside);
    atomic_store(&slot->n_aside, c.aside);
    atomic_store(&slot->n_failed, c.failed);
    atomic_store(&slot->next_try, c.next_try == CHY_TIME_DEFAULT ? INT64_MAX : c.next_try);
    atomic_store(&slot->last_try, c.last_try);
    atomic_store(&slot->at_event, oldest(slot));
    atomic_store(&slot->behind, true);
    return CHY_S_OK;
}

chy_hresult chy_exit_start(struct chy_exit_slot *slot, struct chy_err *err)
{
    char name[16];
    atomic_store(&slot->next_try, INT64_MAX);
    atomic_store(&slot->last_try, CHY_TIME_DEFAULT);
    atomic_store(&slot->at_event, CHY_TIME_DEFAULT);
    /* What was made just now had no last run, and a throwaway's ready line waits for no look. */
    chy_hresult hr = slot->ca->is_new ? CHY_S_OK : find_owed(slot, err);
    if (hr != CHY_S_OK || !slot->instance) return hr;
    chy_queue_init(&slot->queue);
    slot->runs = true;
    snprintf(name, sizeof(name), "%.15s", slot->name);
    if (chy_thread_start(&slot->thread, name, dispatch, slot)) return CHY_S_OK;
    slot->runs = false;
    chy_queue_fini(&slot->queue);
    return chy_fail(err, CHY_E_OUTOFMEMORY,
                    "dispatcher of exit module %s: the system refuses another thread", slot->name);
}

/* The call that runs ends within its deadline, or is abandoned then: before that its thread may not
 * be left. */
static time_t longest_call(struct chy_exit_slot *slot)
{
    struct chy_instance_info info;
    chy_instance_info(slot->instance, &info);
    return info.quarantined ? 1 : (time_t)(info.deadline_ms / 1000 + 2);
}

/* A thread that is stuck in its module is left behind: it touches nothing of the CA any more. */
void chy_exit_stop(struct chy_exit_slot *slot)
{
    struct timespec until;
    if (slot->runs) {
        slot->stop_by = chy_monotonic(slot->ca->clock) + STOP_US;
        atomic_store(&slot->stopping, true);
        chy_queue_close(&slot->queue);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += longest_call(slot);
        if (!chy_thread_join_until(slot->thread, &until)) {
            pthread_detach(slot->thread);
            drop_queue(slot);
        }
        chy_queue_fini(&slot->queue);
    }
    slot->runs = false;
}
