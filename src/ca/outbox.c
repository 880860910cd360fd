/* Exit events (P13): owed in the same transaction as the final row, and handed to the dispatchers
 * of the modules that want them after its commit. */
#include <string.h>

#include "ca/ca_internal.h"

/* One that is not loaded is owed what it last asked for: it may come back. */
size_t chy_outbox_owe_event(const struct chy_ca *ca, int32_t event, struct chy_owed *owed)
{
    size_t n = 0;
    for (size_t i = 0; i < ca->n_exits; i++)
        if (ca->exits[i].mask & event) owed[n++] = (struct chy_owed){ca->exits[i].name, event};
    return n;
}

void chy_outbox_owe(struct chy_request *r)
{
    _Static_assert((int)CHY_REQUEST_MAX_OWED >= (int)CHY_CA_MAX_EXITS, "one event for each module");
    r->n_owed = chy_outbox_owe_event(r->ca, r->event, r->owed);
}

/* A request can wait in one queue: the others read it from the database. */
void chy_outbox_give(struct chy_request *r)
{
    struct chy_ca *ca = r->ca;
    struct chy_exit_slot *first = chy_exit_of_name(ca, r->owed[0].module);
    for (size_t i = 1; i < r->n_owed; i++)
        chy_exit_give(chy_exit_of_name(ca, r->owed[i].module), r, false);
    r->live_seq = r->first_seq;
    chy_exit_give(first, r, true);
}

void chy_outbox_behind(struct chy_ca *ca, int32_t event)
{
    for (size_t i = 0; i < ca->n_exits; i++) {
        if (!(ca->exits[i].mask & event)) continue;
        chy_exit_owed(&ca->exits[i]);
        chy_exit_wake(&ca->exits[i]);
    }
}

void chy_outbox_apart(struct chy_ca *ca)
{
    atomic_fetch_add(&ca->apart, 1);
}

void chy_outbox_together(struct chy_ca *ca)
{
    atomic_fetch_sub(&ca->apart, 1);
}

chy_hresult chy_outbox_start(struct chy_ca *ca, struct chy_err *err)
{
    chy_hresult hr = chy_exit_sync_start(ca, err);
    for (size_t i = 0; i < ca->n_exits && hr == CHY_S_OK; i++)
        hr = chy_exit_start(&ca->exits[i], err);
    return hr;
}

void chy_outbox_stop(struct chy_ca *ca)
{
    for (size_t i = 0; i < ca->n_exits; i++)
        chy_exit_stop(&ca->exits[i]);
    chy_exit_sync_stop(ca);
}
