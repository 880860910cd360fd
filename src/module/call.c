/* Every call into a module: one at a time unless it promised otherwise, with a deadline, counted.
 */
#include <time.h>

#include "module/internal.h"

/* A serial instance: wait for the call before, but not beyond the deadline, nor for one that
 * overran its own. */
static bool gate_enter(struct chy_instance *i)
{
    struct timespec until;
    int rc = 0;
    pthread_mutex_lock(&i->gate);
    if (i->occupied) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += i->deadline_ms / 1000 + 1;
    }
    while (i->occupied && rc == 0 && !atomic_load(&i->quarantined))
        rc = pthread_cond_timedwait(&i->gate_opens, &i->gate, &until);
    bool entered = !i->occupied;
    if (entered) i->occupied = true;
    pthread_mutex_unlock(&i->gate);
    return entered;
}

static void gate_leave(struct chy_instance *i)
{
    pthread_mutex_lock(&i->gate);
    i->occupied = false;
    pthread_cond_signal(&i->gate_opens);
    pthread_mutex_unlock(&i->gate);
}

void chy_gate_wake(struct chy_instance *i)
{
    pthread_mutex_lock(&i->gate);
    pthread_cond_broadcast(&i->gate_opens);
    pthread_mutex_unlock(&i->gate);
}

static chy_hresult out_of_use(const struct chy_instance *i, struct chy_err *err)
{
    return chy_fail(
        err, CHY_ERROR_TIMEOUT,
        "module %s is out of use since a call overran its deadline: mend it and restart", i->name);
}

chy_hresult chy_call_begin(struct chy_instance *i, void *request, enum chy_asker asker,
                           struct chy_running *out, struct chy_err *err)
{
    if (atomic_load(&i->quarantined)) return out_of_use(i, err);
    bool entered = i->concurrent || gate_enter(i);
    if (atomic_load(&i->quarantined)) { /* by the call that was waited for */
        if (entered && !i->concurrent) gate_leave(i);
        return out_of_use(i, err);
    }
    if (!entered) return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s is busy", i->name);
    out->context = chy_context_begin(i, request, asker, &out->number);
    if (!out->context) {
        if (!i->concurrent) gate_leave(i);
        return chy_fail(err, CHY_ERROR_BUSY, "module %s: too many calls at once", i->name);
    }
    out->started = chy_monotonic(i->ms->config.clock);
    atomic_fetch_add(&i->calls, 1);
    atomic_fetch_add(&i->running, 1);
    return CHY_S_OK;
}

bool chy_call_end(struct chy_instance *i, struct chy_running *r, chy_hresult result)
{
    int64_t spent = chy_monotonic(i->ms->config.clock) - r->started;
    atomic_fetch_add(&i->busy_us, spent > 0 ? (uint64_t)spent : 0);
    bool abandoned = chy_context_end(r->context);
    if (CHY_FAILED(result) && !abandoned) atomic_fetch_add(&i->failures, 1);
    if (!i->concurrent) gate_leave(i);
    atomic_fetch_sub(&i->running, 1);
    return abandoned;
}
