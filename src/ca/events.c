/* What exit modules are owed, as administrators see it. */
#include <stdio.h>
#include <strings.h>

#include "ca/ca_internal.h"
#include "ca/events.h"

bool chy_ca_exit_state(struct chy_ca *ca, size_t i, struct chy_exit_state *out)
{
    if (i >= ca->n_exits) return false;
    struct chy_exit_slot *slot = &ca->exits[i];
    chy_time next = atomic_load(&slot->next_try), at = atomic_load(&slot->at_event);
    *out = (struct chy_exit_state){.name = slot->name,
                                   .loaded = slot->instance != NULL,
                                   .paused = atomic_load(&slot->paused),
                                   .synchronous = slot->synchronous,
                                   .calls = atomic_load(&slot->calls),
                                   .failures = atomic_load(&slot->failures),
                                   .delivered = atomic_load(&slot->delivered),
                                   .backlog = atomic_load(&slot->backlog),
                                   .aside = atomic_load(&slot->n_aside),
                                   .failed = atomic_load(&slot->n_failed),
                                   .next_try = CHY_TIME_DEFAULT};
    if (out->backlog > INT64_MAX) out->backlog = 0; /* told before it was counted */
    if (out->aside && next != INT64_MAX) out->next_try = next;
    chy_time now = chy_now(ca->clock);
    if (out->backlog && at != CHY_TIME_DEFAULT && now > at) out->lag_us = now - at;
    return true;
}

static chy_hresult find(struct chy_ca *ca, const char *module, struct chy_exit_slot **out,
                        struct chy_err *err)
{
    *out = chy_exit_of_name(ca, module);
    if (*out) return CHY_S_OK;
    return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                    "exit module \"%.64s\": the CA has none of that name; see chancery module list",
                    module);
}

static void show(struct chy_ca *ca, const struct chy_outbox_entry *e,
                 void (*cb)(const struct chy_event_info *e, void *arg), void *arg)
{
    char id[CHY_EVENT_ID_MAX];
    chy_event_id(ca, &(struct chy_told){e->request_id, e->event, e->occurred, 1}, id);
    cb(&(struct chy_event_info){.seq = e->seq,
                                .module = e->module,
                                .id = id,
                                .name = chy_event_name(e->event),
                                .request_id = e->request_id,
                                .attempts = e->attempts,
                                .occurred = e->occurred,
                                .next_try = e->next_try,
                                .failed_when = e->failed_when,
                                .error = e->error},
       arg);
}

chy_hresult chy_ca_events_of(struct chy_ca *ca, const struct chy_caller *caller, int32_t request_id,
                             void (*cb)(const struct chy_event_info *e, void *arg), void *arg,
                             struct chy_err *err)
{
    enum { MOST = 64 };
    struct chy_outbox_entry entry[MOST];
    struct chy_arena a;
    size_t n = MOST;
    const struct chy_outbox_query q = {.kind = CHY_OUTBOX_ALL, .request_id = request_id};
    if (!(caller->access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER)))
        return chy_fail(err, CHY_E_ACCESSDENIED, "%s may not look at exit events", caller->name);
    chy_arena_init(&a, 1 << 20);
    chy_hresult hr = ca->store->ops->outbox(ca->store, &q, &a, entry, &n, err);
    for (size_t i = 0; hr == CHY_S_OK && i < n; i++)
        show(ca, &entry[i], cb, arg);
    chy_arena_free(&a);
    return hr;
}

chy_hresult chy_ca_events(struct chy_ca *ca, const struct chy_caller *caller,
                          struct chy_event_list *list,
                          void (*cb)(const struct chy_event_info *e, void *arg), void *arg,
                          struct chy_err *err)
{
    enum { AT_ONCE = 256 };
    struct chy_exit_slot *slot = NULL;
    if (!(caller->access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN)))
        return chy_fail(err, CHY_E_ACCESSDENIED, "%s may not look at exit events", caller->name);
    chy_hresult hr = list->module ? find(ca, list->module, &slot, err) : CHY_S_OK;
    struct chy_outbox_entry *entry = NULL;
    if (hr == CHY_S_OK && !(entry = chy_calloc(AT_ONCE, sizeof(*entry))))
        hr = chy_fail_nomem(err, "events");
    bool more = hr == CHY_S_OK;
    while (hr == CHY_S_OK && more && list->limit) {
        struct chy_outbox_query q = {.kind = list->failed_only ? CHY_OUTBOX_FAILED : CHY_OUTBOX_ALL,
                                     .module = slot ? slot->name : NULL,
                                     .after = list->after};
        size_t asked = list->limit < AT_ONCE ? list->limit : AT_ONCE, n = asked;
        struct chy_arena a;
        chy_arena_init(&a, 1 << 20);
        hr = ca->store->ops->outbox(ca->store, &q, &a, entry, &n, err);
        for (size_t i = 0; hr == CHY_S_OK && i < n; i++)
            show(ca, &entry[i], cb, arg);
        more = hr == CHY_S_OK && n == asked;
        if (hr == CHY_S_OK && n) list->after = entry[n - 1].seq;
        list->limit -= (uint32_t)n;
        chy_arena_free(&a);
    }
    if (!more) list->after = 0;
    chy_free(entry);
    return hr;
}
