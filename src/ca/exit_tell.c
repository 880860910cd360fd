/* Events that no row carries: the start, the stop, a certificate that was fetched later. Told once,
 * or not at all. */
#include <time.h>

#include "ca/ca_internal.h"

struct telling {
    struct chy_ca *ca;
    int32_t event, id;
};

static void tell(void *arg)
{
    struct telling *t = arg;
    struct chy_request *r = NULL;
    struct chy_row row;
    struct chy_outbox_entry e = {
        .request_id = t->id, .event = t->event, .occurred = chy_now(t->ca->clock)};
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
        struct chy_err err = {0};
        if (!slot->instance || !(slot->mask & t->event)) continue;
        if (chy_exit_tell(slot, &e, r, &err) == CHY_EXIT_LOST) { /* the CA may be gone */
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

/* The pool is about to end, and a module that hangs is not to keep the daemon from stopping. Each
 * has its deadline: a thread that is inside none of them any more must not be left with the CA. */
static void tell_apart(struct telling *t)
{
    struct timespec until;
    pthread_t thread;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    for (size_t i = 0; i < t->ca->n_exits; i++) {
        struct chy_instance_info info;
        const struct chy_exit_slot *slot = &t->ca->exits[i];
        if (!slot->instance || !(slot->mask & t->event)) continue;
        chy_instance_info(slot->instance, &info);
        until.tv_sec += (time_t)(info.deadline_ms / 1000 + 1);
    }
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
