/* Contexts and deadlines: which calls run, and what becomes of one that overruns. */
#include <stdio.h>
#include <time.h>

#include "module/internal.h"

static _Thread_local struct chy_context *current; /* the call on this thread */

/* Under the lock of ms. No secret: it keeps a stale number from being taken for a live one. */
static int32_t fresh_number(struct chy_modules *ms, size_t slot)
{
    if (ms->random_used == 0 || ms->random_used == CHY_RANDOM_POOL) {
        if (chy_random(ms->random, sizeof(ms->random), NULL) != CHY_S_OK) {
            for (size_t k = 0; k < CHY_RANDOM_POOL; k++)
                ms->random[k] = ms->random[k] * 2654435761u + (uint32_t)k;
        }
        ms->random_used = 0;
    }
    uint32_t r = ms->random[ms->random_used++] & 0x3fffff;
    return (int32_t)((r ? r : 1) << 9 | (uint32_t)slot);
}

struct chy_context *chy_context_begin(struct chy_instance *i, void *request, enum chy_asker asker,
                                      int32_t *number)
{
    struct chy_modules *ms = i->ms;
    pthread_mutex_lock(&ms->lock);
    struct chy_context *c = ms->free_context;
    *number = 0;
    if (c) {
        ms->free_context = c->next_free;
        *number = fresh_number(ms, (size_t)(c - ms->context));
        ms->active++;
        if (ms->parked) pthread_cond_signal(&ms->wake);
    }
    pthread_mutex_unlock(&ms->lock);
    if (!c) return NULL;
    pthread_mutex_lock(&c->lock);
    c->in_use = true;
    c->abandoned = c->overdue = false;
    c->process = NULL;
    c->request = request;
    c->asker = asker;
    c->instance = i;
    c->deadline = chy_monotonic(ms->config.clock) + (int64_t)i->deadline_ms * 1000;
    c->number = *number;
    pthread_mutex_unlock(&c->lock);
    current = c;
    return c;
}

bool chy_context_end(struct chy_context *c)
{
    struct chy_modules *ms = c->instance->ms;
    current = NULL;
    pthread_mutex_lock(&c->lock);
    bool abandoned = c->abandoned;
    c->number = 0;
    c->in_use = false;
    c->request = NULL;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_lock(&ms->lock);
    c->next_free = ms->free_context;
    ms->free_context = c;
    ms->active--;
    pthread_mutex_unlock(&ms->lock);
    return abandoned;
}

struct chy_context *chy_context_enter(struct chy_modules *ms, int32_t number)
{
    if (number <= 0) return NULL;
    struct chy_context *c = &ms->context[(uint32_t)number & (CHY_CONTEXTS - 1)];
    pthread_mutex_lock(&c->lock);
    if (c->number == number) return c;
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

bool chy_context_lend(struct chy_context *c, struct chy_process *p)
{
    pthread_mutex_lock(&c->lock);
    c->process = p;
    bool overdue = c->overdue;
    pthread_mutex_unlock(&c->lock);
    return overdue;
}

void chy_context_has_left(struct chy_context *c, int64_t us)
{
    pthread_mutex_lock(&c->lock);
    c->deadline = chy_monotonic(c->instance->ms->config.clock) + us;
    pthread_mutex_unlock(&c->lock);
}

void chy_context_leave(struct chy_context *c)
{
    pthread_mutex_unlock(&c->lock);
}

int64_t chy_context_time_left_us(void)
{
    if (!current) return INT64_MAX;
    int64_t left = current->deadline - chy_monotonic(current->instance->ms->config.clock);
    return left > 0 ? left : 0;
}

/* The context dies first, so that nothing the stuck thread does can reach the request any more;
 * then the request is told. The slot stays taken until that thread comes back. */
static void look_at(struct chy_modules *ms, struct chy_context *c, int64_t now)
{
    void *request = NULL;
    bool expired = false;
    char name[40] = "";
    pthread_mutex_lock(&c->lock);
    bool late = c->in_use && !c->abandoned && now > c->deadline;
    if (late && c->instance->child) {
        /* Its end is the end of the call, on the thread that made it. */
        if (c->process && !c->overdue) chy_child_overran(c->process);
        c->overdue = c->overdue || c->process;
    } else if (late) {
        expired = true;
        request = c->request;
        c->abandoned = true;
        c->number = 0;
        c->request = NULL;
        atomic_store(&c->instance->quarantined, true);
        chy_gate_wake(c->instance);
        atomic_fetch_add(&c->instance->failures, 1);
        /* once unlocked, the call may come back and its instance be freed */
        snprintf(name, sizeof(name), "%s", c->instance->name);
    }
    pthread_mutex_unlock(&c->lock);
    if (!expired) return;
    chy_log(CHY_LOG_LEVEL_ERROR, "module.deadline", "module", name, NULL);
    pthread_mutex_lock(&ms->lock);
    struct chy_watch watch = ms->watch;
    pthread_mutex_unlock(&ms->lock);
    if (watch.expired) watch.expired(request, watch.arg);
}

static void *watch_deadlines(void *arg)
{
    struct chy_modules *ms = arg;
    pthread_mutex_lock(&ms->lock);
    while (!ms->stopping) {
        if (!ms->active) { /* nothing runs: no waking up at all */
            ms->parked = true;
            pthread_cond_wait(&ms->wake, &ms->lock);
            ms->parked = false;
            continue;
        }
        unsigned tenth = ms->shortest_ms / 10;
        unsigned period_ms = tenth < 5 ? 5 : tenth > 100 ? 100 : tenth;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)period_ms * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&ms->wake, &ms->lock, &until);
        if (ms->stopping) break;
        pthread_mutex_unlock(&ms->lock);
        int64_t now = chy_monotonic(ms->config.clock);
        for (size_t k = 0; k < CHY_CONTEXTS; k++)
            look_at(ms, &ms->context[k], now);
        pthread_mutex_lock(&ms->lock);
    }
    pthread_mutex_unlock(&ms->lock);
    return NULL;
}

chy_hresult chy_deadlines_start(struct chy_modules *ms, struct chy_err *err)
{
    for (size_t k = CHY_CONTEXTS; k-- > 0;) {
        pthread_mutex_init(&ms->context[k].lock, NULL);
        ms->context[k].next_free = ms->free_context;
        ms->free_context = &ms->context[k];
    }
    if (ms->config.unwatched) return CHY_S_OK;
    if (!chy_thread_start(&ms->deadline_thread, "deadline", watch_deadlines, ms)) {
        return chy_fail(err, CHY_E_OUTOFMEMORY,
                        "deadline thread: the system refuses another thread");
    }
    ms->thread_runs = true;
    return CHY_S_OK;
}

bool chy_deadlines_stop(struct chy_modules *ms)
{
    pthread_mutex_lock(&ms->lock);
    ms->stopping = true;
    pthread_cond_signal(&ms->wake);
    pthread_mutex_unlock(&ms->lock);
    if (ms->thread_runs) pthread_join(ms->deadline_thread, NULL);
    pthread_mutex_lock(&ms->lock);
    bool idle = ms->active == 0;
    pthread_mutex_unlock(&ms->lock);
    if (!idle) return false;
    for (size_t k = 0; k < CHY_CONTEXTS; k++)
        pthread_mutex_destroy(&ms->context[k].lock);
    return true;
}
