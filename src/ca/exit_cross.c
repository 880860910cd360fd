/* What was told is crossed off, many with one record. Thread: the module's dispatcher; the writer
 * when it was done. */
#include "ca/ca_internal.h"

enum { CROSSING_US = 10000 };

struct crossing {
    struct chy_write write; /* first: the list of what could not be written is of these */
    struct chy_outbox_entry last;
    struct chy_exit_slot *slot;
    uint64_t n;
};

/* Between two crossings of a module lies nothing that it was not told: one record does for both, so
 * that a disk that stays full does not fill memory. Under the CA's lock. */
static bool join_uncrossed(struct chy_ca *ca, const struct crossing *c)
{
    for (struct chy_node *n = ca->uncrossed; n; n = n->next) {
        struct crossing *old = (struct crossing *)(void *)n;
        if (old->slot != c->slot) continue;
        if (c->write.outbox_seq < old->write.outbox_seq)
            old->write.outbox_seq = c->write.outbox_seq;
        if (c->last.seq > old->last.seq) old->last.seq = c->last.seq;
        old->n += c->n;
        return true;
    }
    return false;
}

static void crossed_off(struct chy_write *w, void *arg)
{
    struct crossing *c = arg;
    struct chy_ca *ca = c->slot->ca;
    if (w->result == CHY_S_OK) {
        atomic_fetch_sub(&c->slot->backlog, c->n);
        chy_free(c);
        return;
    }
    /* Kept until storage works again; if the daemon ends first, it is delivered again: at least
     * once. */
    const struct chy_err err = w->err;
    pthread_mutex_lock(&ca->lock);
    bool joined = join_uncrossed(ca, c);
    if (!joined) {
        w->node.next = ca->uncrossed;
        ca->uncrossed = &w->node;
    }
    pthread_mutex_unlock(&ca->lock);
    if (joined) chy_free(c);
    chy_health_store_failed(ca, &err);
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

/* The slots stay until the last record that names them was written. */
void chy_outbox_fini(struct chy_ca *ca)
{
    struct chy_node *next;
    for (size_t i = 0; i < ca->n_exits; i++) {
        chy_free(ca->exits[i].name);
        pthread_mutex_destroy(&ca->exits[i].lock);
    }
    for (struct chy_node *n = take_uncrossed(ca); n; n = next) {
        next = n->next;
        chy_free(n);
    }
}

bool chy_exit_write_crossings(struct chy_exit_slot *slot)
{
    if (!slot->n_crossing) return true;
    struct crossing *c = chy_calloc(1, sizeof(*c));
    if (!c) return false;
    c->slot = slot;
    c->n = slot->n_crossing;
    c->last = (struct chy_outbox_entry){.seq = slot->crossing_to, .module = slot->name};
    c->write = (struct chy_write){.kind = CHY_WRITE_OUTBOX_DONE,
                                  .outbox_seq = slot->crossing_from,
                                  .entry = &c->last,
                                  .done = crossed_off,
                                  .arg = c};
    slot->n_crossing = 0;
    chy_store_write(slot->ca->store, &c->write);
    return true;
}

bool chy_exit_crossings_are_old(struct chy_exit_slot *slot)
{
    return slot->n_crossing && chy_monotonic(slot->ca->clock) - slot->crossing_since > CROSSING_US;
}

/* What was told lies between the first and the last of them, in this order: what else of this
 * module does was set aside, and stays. */
void chy_exit_cross_off(struct chy_exit_slot *slot, int64_t seq)
{
    if (!slot->n_crossing) {
        slot->crossing_from = seq;
        slot->crossing_since = chy_monotonic(slot->ca->clock);
    }
    slot->crossing_to = seq;
    slot->n_crossing++;
    if (chy_exit_crossings_are_old(slot)) (void)chy_exit_write_crossings(slot);
}
