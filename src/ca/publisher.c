/* The publisher's thread: when does what happen. */
#include "ca/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

/* A new CA is ready before its first CRL; who asks for that waits for it. */
enum {
    FIRST_MS = 100,
    FIRST_WAIT_S = 10,
    IDLE_MS = 30000,
    RETRY_FIRST_S = 1,
    RETRY_LAST_S = 60,
    COST_FACTOR = 10
};

static void deadline(struct timespec *until, int64_t ms)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_sec += (time_t)(ms / 1000);
    until->tv_nsec += (long)(ms % 1000) * 1000000;
    until->tv_sec += until->tv_nsec / 1000000000;
    until->tv_nsec %= 1000000000;
}

void chy_publisher_poke(struct chy_ca *ca)
{
    struct chy_publisher *p = ca->publisher;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->poked = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void chy_publisher_retry(struct chy_ca *ca)
{
    struct chy_publisher *p = ca->publisher;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    if (p->retry_at) p->retry_at = chy_monotonic(&chy_system_clock);
    p->failures = 0;
    p->poked = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* Thread: writer, or a worker. */
void chy_publisher_revoked(struct chy_ca *ca)
{
    struct chy_publisher *p = ca->publisher;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    if (!p->revoked) {
        p->revoked = true;
        p->revoked_since = chy_monotonic(&chy_system_clock);
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
}

int32_t chy_publisher_shard(struct chy_ca *ca, const struct chy_settings *s, int32_t request_id)
{
    int32_t ready = ca->publisher ? atomic_load(&ca->publisher->shards_ready) : 0;
    int32_t last = s->crl.max_shards < ready ? s->crl.max_shards : ready;
    int32_t first = s->crl.suspended_shards + 1;
    if (last < first) return 0;
    uint32_t pick = (uint32_t)request_id;
    if (!s->crl.round_robin) pick *= 2654435761u; /* spread, as a random choice would be */
    return first +
           (int32_t)((s->crl.round_robin ? pick : pick >> 8) % (uint32_t)(last - first + 1));
}

void chy_ca_publish_crls(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_crl_order *order, chy_crl_done done, void *arg)
{
    struct chy_crl_result r = {.status = CHY_S_OK};
    struct chy_publisher *p = ca->publisher;
    struct chy_crl_call *call = NULL;
    uint32_t known = CHY_CA_CRL_BASE | CHY_CA_CRL_DELTA | CHY_CA_CRL_REPUBLISH;
    if (!(caller->access & CHY_CA_ACCESS_ADMIN)) {
        r.status =
            chy_fail(&r.err, CHY_E_ACCESSDENIED, "%s is no administrator of this CA", caller->name);
    } else if (!order->flags || order->flags & ~known) {
        r.status = chy_fail(&r.err, CHY_E_INVALIDARG,
                            "publish CRLs: base (1), delta (2) or the existing ones again (16)");
    } else if (!p || !(call = chy_calloc(1, sizeof(*call)))) {
        r.status = chy_fail_nomem(&r.err, "publish CRLs");
    }
    if (!call) {
        done(&r, arg);
        return;
    }
    *call = (struct chy_crl_call){.order = *order, .done = done, .arg = arg};
    pthread_mutex_lock(&p->lock);
    bool open = !p->stop;
    if (open) {
        chy_ca_enter(ca);
        *p->calls_tail = call;
        p->calls_tail = &call->next;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    if (open) return;
    chy_free(call);
    r.status = chy_fail(&r.err, CHY_ERROR_SERVICE_NOT_ACTIVE, "the CA is stopping");
    done(&r, arg);
}

static struct chy_crl_call *take_call(struct chy_publisher *p)
{
    pthread_mutex_lock(&p->lock);
    struct chy_crl_call *call = p->calls;
    if (call) p->calls = call->next;
    if (!p->calls) p->calls_tail = &p->calls;
    pthread_mutex_unlock(&p->lock);
    return call;
}

static void answer(struct chy_publisher *p, struct chy_crl_call *call,
                   const struct chy_crl_result *r)
{
    struct chy_ca *ca = p->ca;
    call->done(r, call->arg);
    chy_free(call);
    chy_ca_leave(ca);
}

static void note_outcome(struct chy_publisher *p, const struct chy_crl_order *order,
                         const struct chy_crl_result *r)
{
    bool failed = r->status < CHY_S_OK;
    pthread_mutex_lock(&p->lock);
    /* A run of other shards that went well does not make up for what lacks in some place. */
    bool lacks = !(order->flags & CHY_CA_CRL_REPUBLISH) && p->retry_at && !p->is_unmade &&
                 chy_crl_has_unplaced(p);
    if (failed || !lacks) {
        snprintf(p->error, sizeof(p->error), "%s", failed ? r->err.text : "");
        p->failures = failed ? p->failures + 1 : 0;
        p->retry_at = 0;
    }
    if (failed) {
        int64_t s = RETRY_FIRST_S;
        for (unsigned i = 1; i < p->failures && s < RETRY_LAST_S; i++)
            s *= 2;
        if (s > RETRY_LAST_S) s = RETRY_LAST_S;
        int64_t wait = s * CHY_US_PER_S;
        if (wait < COST_FACTOR * p->last_cost_us) wait = COST_FACTOR * p->last_cost_us;
        p->retry_at = chy_monotonic(&chy_system_clock) + wait;
        p->is_unmade = !r->made;
    }
    p->is_first_done = true;
    pthread_cond_broadcast(&p->first);
    pthread_mutex_unlock(&p->lock);
    if (failed)
        chy_log(CHY_LOG_LEVEL_ERROR, "crl.failed", "ca", chy_ca_name(p->ca), "error", r->err.text,
                NULL);
}

static void serve_calls(struct chy_publisher *p)
{
    struct chy_crl_call *call;
    while ((call = take_call(p)) != NULL) {
        struct chy_crl_result r = {.status = CHY_S_OK};
        chy_crl_run(p, &call->order, true, &r);
        if (r.status != CHY_E_INVALIDARG) note_outcome(p, &call->order, &r);
        answer(p, call, &r);
    }
}

/* Of revocations: soon, but never so often that the CA would do little else. Microseconds from now;
 * negative: not at all. */
static int64_t revoked_due_in(struct chy_publisher *p, const struct chy_settings *s)
{
    pthread_mutex_lock(&p->lock);
    bool revoked = p->revoked;
    int64_t since = p->revoked_since;
    pthread_mutex_unlock(&p->lock);
    if (!revoked || s->crl.on_revoke == CHY_ON_REVOKE_NO) return -1;
    int64_t wait = s->crl.on_revoke_s * CHY_US_PER_S;
    if (wait < COST_FACTOR * p->last_cost_us) wait = COST_FACTOR * p->last_cost_us;
    int64_t in = since + wait - chy_monotonic(&chy_system_clock);
    return in > 0 ? in : 0;
}

/* A revocation of a date ahead begins to count like one made at that moment; also if it came while
 * a run was under way, or the CA was not. */
static void note_effective(struct chy_publisher *p, chy_time now)
{
    struct chy_err err = {0};
    struct chy_store *store = p->ca->store;
    if (p->effective_from > now) { /* the clock was wrong, and has been set back */
        p->effective_from = now;
        p->effective_known = false;
    }
    for (int i = 0; i < 2; i++) {
        if (!p->effective_known) {
            p->effective_known = store->ops->next_effective(store, p->effective_from,
                                                            &p->next_effective, &err) == CHY_S_OK;
        }
        if (!p->effective_known) p->next_effective = CHY_TIME_DEFAULT;
        if (p->next_effective == CHY_TIME_DEFAULT || p->next_effective > now) return;
        chy_publisher_revoked(p->ca);
        p->effective_from = now;
        p->effective_known = false;
    }
}

/* What could not be made waits for its turn, with all that there is to tell. What lacks only in
 * some place holds up nothing else: the other places are as current as ever. */
static void run_due(struct chy_publisher *p, const struct chy_settings *s, chy_time now)
{
    struct chy_crl_order order = {.shard = CHY_CRL_SHARD_ANY, .next_update = CHY_TIME_DEFAULT};
    struct chy_crl_result r = {.status = CHY_S_OK};
    pthread_mutex_lock(&p->lock);
    bool again = p->retry_at != 0, is_unmade = p->is_unmade;
    bool waits = again && p->retry_at > chy_monotonic(&chy_system_clock);
    pthread_mutex_unlock(&p->lock);
    if (waits && is_unmade) return;
    bool for_revoked = revoked_due_in(p, s) == 0;
    bool delta_only = s->crl.on_revoke == CHY_ON_REVOKE_DELTA && s->crl.delta_period.n;
    if (chy_crl_is_due(p, s, now, false) || (for_revoked && !delta_only))
        order.flags = CHY_CA_CRL_BASE;
    else if (again && !waits)
        order.flags =
            !is_unmade && chy_crl_has_unplaced(p) ? CHY_CA_CRL_REPUBLISH : CHY_CA_CRL_BASE;
    else if (chy_crl_is_due(p, s, now, true) || for_revoked)
        order.flags = CHY_CA_CRL_DELTA;
    if (!order.flags) return;
    chy_crl_run(p, &order, false, &r);
    note_outcome(p, &order, &r);
}

static int64_t least(int64_t a, int64_t b)
{
    return b >= 0 && b < a ? b : a;
}

static int64_t wait_ms(struct chy_publisher *p, const struct chy_settings *s, chy_time now)
{
    const chy_time times[] = {chy_crl_scheduled(p, s, false), chy_crl_scheduled(p, s, true),
                              p->effective_known ? p->next_effective : CHY_TIME_DEFAULT};
    int64_t ms = IDLE_MS;
    int64_t revoked = revoked_due_in(p, s);
    for (size_t i = 0; i < CHY_ARRAY_LEN(times); i++) {
        if (times[i] != CHY_TIME_DEFAULT)
            ms = least(ms, times[i] > now ? (times[i] - now) / 1000 + 1 : 0);
    }
    if (revoked >= 0) ms = least(ms, revoked / 1000 + 1);
    pthread_mutex_lock(&p->lock);
    if (p->retry_at) {
        int64_t left = p->retry_at - chy_monotonic(&chy_system_clock);
        int64_t retry_ms = left > 0 ? left / 1000 + 1 : 0;
        ms = least(p->is_unmade ? IDLE_MS : ms, retry_ms);
    }
    pthread_mutex_unlock(&p->lock);
    return ms;
}

/* False: the CA closes. */
static bool wait_until(struct chy_publisher *p, int64_t ms)
{
    struct timespec until;
    deadline(&until, ms);
    pthread_mutex_lock(&p->lock);
    bool was_revoked = p->revoked;
    while (!p->stop && !p->calls && !p->poked && p->revoked == was_revoked &&
           pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0) {
    }
    p->poked = false;
    bool go_on = !p->stop;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void *publish(void *arg)
{
    struct chy_publisher *p = arg;
    chy_thread_give_way(); /* a list of millions is no reason for a request to wait */
    bool go_on = p->n_kept || wait_until(p, FIRST_MS);
    while (go_on) {
        serve_calls(p);
        struct chy_settings *s = chy_settings_get(p->ca);
        chy_time now = chy_now(p->ca->clock);
        if (atomic_exchange(&p->is_doubted, false)) chy_crl_look(p);
        note_effective(p, now);
        run_due(p, s, now);
        note_effective(p, now); /* a run forgets it, for what it did not see may come before */
        int64_t ms = wait_ms(p, s, chy_now(p->ca->clock));
        chy_settings_unref(s);
        go_on = wait_until(p, ms);
    }
    return NULL;
}

/* ---- start and stop ---- */
static bool keep_record(const struct chy_crl_record *r, void *arg)
{
    struct chy_publisher *p = arg;
    if (p->n_kept == p->cap_kept) {
        size_t cap = p->cap_kept ? 2 * p->cap_kept : 16;
        struct chy_crl_kept *more = chy_realloc(p->kept, cap * sizeof(*more));
        if (!more) return false;
        p->kept = more;
        p->cap_kept = cap;
    }
    struct chy_crl_kept *k = &p->kept[p->n_kept++];
    *k = (struct chy_crl_kept){.record = *r};
    snprintf(k->error, sizeof(k->error), "%.*s", (int)r->error.n,
             r->error.p ? (const char *)r->error.p : "");
    k->record.error = (struct chy_span){0};
    if (r->number > p->number) p->number = r->number;
    return true;
}

static chy_hresult load(struct chy_publisher *p, struct chy_err *err)
{
    struct chy_store *store = p->ca->store;
    struct chy_buf number;
    chy_buf_init(&number, 64);
    chy_hresult hr = store->ops->crls(store, keep_record, p, err);
    if (hr == CHY_S_OK) hr = store->ops->meta(store, CHY_META_CRL_NUMBER, &number, err);
    if (hr >= CHY_S_OK && number.n) {
        const char *text = chy_buf_cstr(&number);
        uint64_t reserved = text ? strtoull(text, NULL, 10) : 0;
        if (reserved > p->number) p->number = reserved;
        hr = text ? CHY_S_OK : chy_fail_nomem(err, "CRL number");
    }
    chy_buf_free(&number);
    return hr < CHY_S_OK ? hr : CHY_S_OK;
}

/* The oldest of the newest: from there on changes may be missing on one of them. */
static void know_seen(struct chy_publisher *p)
{
    for (int kind = 0; kind < 2; kind++) {
        struct chy_crl_seen *seen = &p->seen[kind];
        *seen = (struct chy_crl_seen){.seq = INT64_MAX, .when = INT64_MAX};
        for (size_t i = 0; i < p->n_kept; i++) {
            const struct chy_crl_record *r = &p->kept[i].record;
            const struct chy_crl_kept *newest =
                chy_crl_newest(p, r->key_index, r->shard, r->is_delta);
            if (r->is_delta != (kind == 1) || newest != &p->kept[i]) continue;
            if (r->seq < seen->seq) seen->seq = r->seq;
            if (r->this_publish < seen->when) seen->when = r->this_publish;
        }
        if (seen->seq == INT64_MAX) *seen = (struct chy_crl_seen){.seq = 0, .when = 0};
    }
}

chy_hresult chy_publisher_start(struct chy_ca *ca, struct chy_err *err)
{
    char path[4096];
    struct chy_publisher *p = chy_calloc(1, sizeof(*p));
    if (!p) return chy_fail_nomem(err, "publisher");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_cond_init(&p->first, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->ca = ca;
    p->began = chy_now(&chy_system_clock);
    p->calls_tail = &p->calls;
    ca->publisher = p;
    snprintf(path, sizeof(path), "%s/crl", ca->dir);
    chy_hresult hr = chy_dir_make(path, 0755, err);
    if (hr == CHY_S_OK) hr = load(p, err);
    if (hr != CHY_S_OK) return hr;
    chy_crl_sort(p->kept, p->n_kept);
    know_seen(p);
    p->effective_from = p->n_kept ? p->seen[0].when : chy_now(ca->clock);
    chy_crl_sweep(p);
    int64_t last = 0;
    if (ca->store->ops->last_seq(ca->store, &last, NULL) == CHY_S_OK && p->n_kept &&
        last > p->seen[0].seq)
        chy_publisher_revoked(ca); /* revoked, and then the daemon ended */
    chy_crl_note_shards(p);
    p->is_first_done = p->n_kept > 0;
    atomic_store(&p->is_doubted, true);
    if (!chy_thread_start(&p->thread, "publisher", publish, p))
        return chy_fail(err, CHY_E_OUTOFMEMORY,
                        "publisher: the system has no memory for another thread");
    p->runs = true;
    return CHY_S_OK;
}

void chy_publisher_stop(struct chy_ca *ca)
{
    struct chy_publisher *p = ca->publisher;
    struct chy_crl_call *call;
    struct chy_crl_result closing = {.status = CHY_ERROR_SERVICE_NOT_ACTIVE};
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_cond_broadcast(&p->first);
    pthread_mutex_unlock(&p->lock);
    if (p->runs) pthread_join(p->thread, NULL);
    p->runs = false;
    chy_fail(&closing.err, closing.status, "the CA is stopping");
    while ((call = take_call(p)) != NULL)
        answer(p, call, &closing);
}

void chy_publisher_free(struct chy_ca *ca)
{
    struct chy_publisher *p = ca->publisher;
    if (!p) return;
    ca->publisher = NULL;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->first);
    for (size_t i = 0; i < CHY_CA_MAX_URLS; i++)
        chy_free(p->swept[i]);
    chy_free(p->kept);
    chy_free(p);
}

/* Waits for the first CRLs of a new CA. */
void chy_publisher_await_first(struct chy_publisher *p)
{
    struct timespec until;
    deadline(&until, FIRST_WAIT_S * 1000);
    pthread_mutex_lock(&p->lock);
    if (!p->is_first_done) {
        p->poked = true;
        pthread_cond_signal(&p->wake);
    }
    while (!p->is_first_done && !p->stop &&
           pthread_cond_timedwait(&p->first, &p->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&p->lock);
}
