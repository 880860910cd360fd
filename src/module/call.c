/* Every call into a module: one at a time unless it promised otherwise, with a deadline, counted.
 */
#include <time.h>

#include "module/internal.h"

/* A serial instance: wait for the call before, but not beyond the deadline. */
static bool lock_serial(struct chy_instance *i)
{
    struct timespec until;
    if (pthread_mutex_trylock(&i->serial) == 0) return true;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += i->ms->config.call_timeout_ms / 1000 + 1;
    return pthread_mutex_timedlock(&i->serial, &until) == 0;
}

chy_hresult chy_call_begin(struct chy_instance *i, void *request, enum chy_asker asker,
                           struct chy_running *out, struct chy_err *err)
{
    if (atomic_load(&i->quarantined)) {
        return chy_fail(
            err, CHY_ERROR_TIMEOUT,
            "module %s is out of use since a call overran its deadline: mend it and restart",
            i->name);
    }
    if (!i->concurrent && !lock_serial(i))
        return chy_fail(err, CHY_ERROR_TIMEOUT, "module %s is busy", i->name);
    out->context = chy_context_begin(i, request, asker);
    if (!out->context) {
        if (!i->concurrent) pthread_mutex_unlock(&i->serial);
        return chy_fail(err, CHY_ERROR_BUSY, "module %s: too many calls at once", i->name);
    }
    out->started = chy_monotonic(i->ms->config.clock);
    atomic_fetch_add(&i->calls, 1);
    return CHY_S_OK;
}

bool chy_call_end(struct chy_instance *i, struct chy_running *r, chy_hresult result)
{
    int64_t spent = chy_monotonic(i->ms->config.clock) - r->started;
    atomic_fetch_add(&i->busy_us, spent > 0 ? (uint64_t)spent : 0);
    bool abandoned = chy_context_end(r->context);
    if (CHY_FAILED(result) && !abandoned) atomic_fetch_add(&i->failures, 1);
    if (!i->concurrent) pthread_mutex_unlock(&i->serial);
    return abandoned;
}
