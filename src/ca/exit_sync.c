/* AD CS's order of things, for modules that ask for it: the requester gets the answer after Notify
 * has returned. The certificate is durable by then, and no module holds an answer back beyond the
 * deadline of calls. */
#include <unistd.h>

#include "ca/ca_internal.h"

enum { LOOK_US = 20000 };

struct chy_exit_wait {
    struct chy_exit_wait *next;
    struct chy_request *r;
    int64_t seq, deadline; /* deadline: monotonic */
};

static void release(struct chy_request *r)
{
    struct chy_ca *ca = r->ca;
    if (atomic_fetch_sub(&r->held, 1) != 1) return;
    atomic_fetch_sub(&ca->n_held, 1);
    r->release(r);
}

static bool answers_soon(struct chy_exit_slot *slot)
{
    struct chy_instance_info info;
    if (!slot->synchronous || !slot->runs || atomic_load(&slot->paused)) return false;
    chy_instance_info(slot->instance, &info);
    return !info.quarantined;
}

static void append(struct chy_exit_slot *slot, struct chy_exit_wait *w)
{
    pthread_mutex_lock(&slot->lock);
    struct chy_exit_wait **at = &slot->waiting_end;
    if (*at)
        (*at)->next = w;
    else
        slot->waiting = w;
    *at = w;
    pthread_mutex_unlock(&slot->lock);
}

void chy_exit_hold(struct chy_request *r, void (*release_fn)(struct chy_request *r))
{
    struct chy_ca *ca = r->ca;
    r->release = release_fn;
    atomic_store(&r->held, 1);
    atomic_fetch_add(&ca->n_held, 1);
    if (!ca->sync_runs) return;
    struct chy_settings *s = chy_settings_get(ca);
    int64_t deadline = chy_monotonic(ca->clock) + (int64_t)s->module_timeout_ms * 1000;
    for (size_t i = 0; i < r->n_owed; i++) {
        struct chy_exit_slot *slot = chy_exit_of_name(ca, r->owed[i].module);
        struct chy_exit_wait *w =
            slot && answers_soon(slot) ? chy_arena_alloc(&r->arena, sizeof(*w)) : NULL;
        if (!w) continue;
        *w = (struct chy_exit_wait){NULL, r, r->first_seq + (int64_t)i, deadline};
        atomic_fetch_add(&r->held, 1);
        append(slot, w);
        chy_exit_let_go(slot, atomic_load(&slot->done_seq)); /* told already, from the outbox */
    }
    chy_settings_unref(s);
}

void chy_exit_held(struct chy_request *r)
{
    struct chy_ca *ca = r->ca;
    release(r);
    if (!atomic_load(&ca->n_held) || !ca->sync_runs) return;
    pthread_mutex_lock(&ca->sync_lock);
    pthread_cond_signal(&ca->sync_wake);
    pthread_mutex_unlock(&ca->sync_lock);
}

/* Those up to seq, or whose time is up. */
static struct chy_exit_wait *take(struct chy_exit_slot *slot, int64_t seq, int64_t now)
{
    pthread_mutex_lock(&slot->lock);
    struct chy_exit_wait *list = slot->waiting, **at = &list;
    while (*at && ((*at)->seq <= seq || (*at)->deadline <= now))
        at = &(*at)->next;
    slot->waiting = *at;
    *at = NULL;
    if (!slot->waiting) slot->waiting_end = NULL;
    pthread_mutex_unlock(&slot->lock);
    return list;
}

static void release_all(struct chy_exit_wait *list)
{
    struct chy_exit_wait *next;
    for (; list; list = next) {
        next = list->next; /* in the arena of the request, which may go */
        release(list->r);
    }
}

void chy_exit_let_go(struct chy_exit_slot *slot, int64_t seq)
{
    if (slot->synchronous) release_all(take(slot, seq, INT64_MIN));
}

static void *look_after(void *arg)
{
    struct chy_ca *ca = arg;
    pthread_mutex_lock(&ca->sync_lock);
    while (!ca->sync_stops) {
        if (!atomic_load(&ca->n_held)) {
            pthread_cond_wait(&ca->sync_wake, &ca->sync_lock);
            continue;
        }
        pthread_mutex_unlock(&ca->sync_lock);
        usleep(LOOK_US);
        int64_t now = chy_monotonic(ca->clock);
        for (size_t i = 0; i < ca->n_exits; i++)
            release_all(take(&ca->exits[i], INT64_MIN, now));
        pthread_mutex_lock(&ca->sync_lock);
    }
    pthread_mutex_unlock(&ca->sync_lock);
    return NULL;
}

chy_hresult chy_exit_sync_start(struct chy_ca *ca, struct chy_err *err)
{
    bool wanted = false;
    pthread_mutex_init(&ca->sync_lock, NULL);
    pthread_cond_init(&ca->sync_wake, NULL);
    for (size_t i = 0; i < ca->n_exits; i++)
        wanted = wanted || ca->exits[i].synchronous;
    if (!wanted) return CHY_S_OK;
    ca->sync_runs = chy_thread_start(&ca->sync_thread, "exit-sync", look_after, ca);
    if (ca->sync_runs) return CHY_S_OK;
    return chy_fail(err, CHY_E_OUTOFMEMORY,
                    "synchronous exit modules: the system refuses another thread");
}

void chy_exit_sync_stop(struct chy_ca *ca)
{
    if (!ca->sync_runs) return;
    pthread_mutex_lock(&ca->sync_lock);
    ca->sync_stops = true;
    pthread_cond_signal(&ca->sync_wake);
    pthread_mutex_unlock(&ca->sync_lock);
    pthread_join(ca->sync_thread, NULL);
    ca->sync_runs = false;
    for (size_t i = 0; i < ca->n_exits; i++)
        release_all(take(&ca->exits[i], INT64_MAX, INT64_MAX));
}
