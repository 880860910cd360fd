/* What an exit module did not take: when it is tried again, and when it is given up. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

enum { FIRST_DELAY_MS = 500, DUE_AT_ONCE = 64, BLOCKED_US = 250000 };

/* Four times as long with each attempt, up to the longest; a quarter more or less, so that many do
 * not come at once. */
static int64_t delay_us(const struct chy_settings *s, int32_t attempt)
{
    int64_t longest = s->exit_retry_s * 1000, ms = FIRST_DELAY_MS;
    uint16_t r = 0;
    for (int32_t i = 1; i < attempt && ms < longest; i++)
        ms *= 4;
    if (ms > longest) ms = longest;
    if (chy_random(&r, sizeof(r), NULL) != CHY_S_OK) r = 0x8000;
    return (ms * 750 + ms * 500 * r / 0xffff);
}

/* Given up: it failed for so long, and another was taken just before, so it is the event and not
 * the module. One that comes back after long, and goes again, loses nothing that waited for it. */
static bool is_hopeless(const struct chy_exit_slot *slot, const struct chy_settings *s,
                        const struct chy_outbox_entry *e, chy_time now)
{
    return now - e->first_failed >= s->exit_give_up_s * CHY_US_PER_S && !slot->failed_in_row &&
           slot->last_success != CHY_TIME_DEFAULT && slot->last_success > e->first_failed;
}

static bool note(struct chy_exit_slot *slot, const struct chy_outbox_entry *e)
{
    struct chy_err err = {0};
    struct chy_write w = {.kind = CHY_WRITE_OUTBOX_ASIDE, .entry = e};
    if (chy_store_write_wait(slot->ca->store, &w, &err) == CHY_S_OK) return true;
    chy_health_store_failed(slot->ca, &err);
    return false;
}

static void due_by(struct chy_exit_slot *slot, chy_time when)
{
    if (when < atomic_load(&slot->next_try)) atomic_store(&slot->next_try, when);
    if (when > atomic_load(&slot->last_try)) atomic_store(&slot->last_try, when);
}

/* No attempt lies farther ahead, unless the clock was set back since it was planned, or the setting
 * that it followed. Such a one is due. */
static chy_time farthest(struct chy_exit_slot *slot, chy_time now)
{
    struct chy_settings *s = chy_settings_get(slot->ca);
    int64_t longest = (s->exit_retry_s + s->exit_retry_s / 4 + 1) * CHY_US_PER_S;
    chy_settings_unref(s);
    return now + longest;
}

static bool is_due(struct chy_exit_slot *slot, chy_time now)
{
    if (!atomic_load(&slot->n_aside)) return false;
    return now >= atomic_load(&slot->next_try) ||
           atomic_load(&slot->last_try) > farthest(slot, now);
}

/* Nothing is tried for a while: one after the other failed. */
static void leave_alone(struct chy_exit_slot *slot, const struct chy_settings *s)
{
    if (++slot->failed_in_row < CHY_EXIT_STRAIGHT_FAILURES) return;
    int32_t n = (int32_t)(slot->failed_in_row - CHY_EXIT_STRAIGHT_FAILURES + 1);
    slot->quiet_until = chy_monotonic(slot->ca->clock) + delay_us(s, n < 32 ? n : 32);
}

bool chy_exit_refused(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                      const struct chy_err *why)
{
    struct chy_settings *s = chy_settings_get(slot->ca);
    struct chy_outbox_entry now = *e;
    bool was_aside = e->next_try != CHY_TIME_DEFAULT && e->attempts > 0;
    chy_time t = chy_now(slot->ca->clock);
    now.attempts++;
    if (!was_aside) now.first_failed = t;
    now.next_try = t + delay_us(s, now.attempts);
    now.failed_when = was_aside && is_hopeless(slot, s, &now, t) ? t : CHY_TIME_DEFAULT;
    now.error = chy_span_cstr(why->text);
    leave_alone(slot, s);
    chy_settings_unref(s);
    (void)chy_exit_write_crossings(slot);
    if (!note(slot, &now)) return false;
    bool first = e->next_try == CHY_TIME_DEFAULT;
    if (first) atomic_fetch_add(&slot->n_aside, 1);
    if (now.failed_when == CHY_TIME_DEFAULT) {
        due_by(slot, now.next_try);
        return true;
    }
    atomic_fetch_sub(&slot->n_aside, 1);
    atomic_fetch_sub(&slot->backlog, 1);
    atomic_fetch_add(&slot->n_failed, 1);
    char id[CHY_EVENT_ID_MAX];
    chy_event_id(slot->ca, &(struct chy_told){e->request_id, e->event, e->occurred, 1}, id);
    chy_log(CHY_LOG_LEVEL_ERROR, "exit.given_up", "ca", chy_ca_name(slot->ca), "module", slot->name,
            "event", id, "error", why->text, NULL);
    return true;
}

void chy_exit_taken(struct chy_exit_slot *slot)
{
    slot->failed_in_row = 0;
    slot->quiet_until = 0;
    slot->last_success = chy_now(slot->ca->clock);
}

enum chy_exit_told chy_exit_behind_another(struct chy_exit_slot *slot,
                                           const struct chy_outbox_entry *e)
{
    struct chy_outbox_query q = {
        .kind = CHY_OUTBOX_ASIDE, .module = slot->name, .request_id = e->request_id};
    struct chy_store *store = slot->ca->store;
    struct chy_outbox_entry first, mine = *e;
    struct chy_arena a;
    size_t n = 1;
    if (!e->request_id || !atomic_load(&slot->n_aside)) return CHY_EXIT_NOTHING;
    chy_arena_init(&a, 1 << 16);
    chy_hresult hr = store->ops->outbox(store, &q, &a, &first, &n, NULL);
    bool waits = hr == CHY_S_OK && n && first.seq < e->seq;
    if (waits) mine.next_try = first.next_try;
    chy_arena_free(&a);
    if (hr != CHY_S_OK) return CHY_EXIT_UNREAD;
    if (!waits) return CHY_EXIT_NOTHING;
    (void)chy_exit_write_crossings(slot);
    if (!note(slot, &mine)) return CHY_EXIT_UNREAD;
    atomic_fetch_add(&slot->n_aside, 1);
    due_by(slot, mine.next_try);
    return CHY_EXIT_TOLD;
}

void chy_exit_count(struct chy_exit_slot *slot)
{
    struct chy_outbox_counts c;
    struct chy_store *store = slot->ca->store;
    if (store->ops->outbox_counts(store, slot->name, false, &c, NULL) != CHY_S_OK) {
        atomic_store(&slot->recount, true);
        return;
    }
    atomic_store(&slot->n_aside, c.aside);
    atomic_store(&slot->n_failed, c.failed);
    atomic_store(&slot->next_try, c.next_try == CHY_TIME_DEFAULT ? INT64_MAX : c.next_try);
    atomic_store(&slot->last_try, c.last_try);
}

/* Before anybody asks again what is due: while that cannot be written, nothing is told. */
static bool cross_off_told(struct chy_exit_slot *slot)
{
    struct chy_err err = {0};
    struct chy_outbox_entry e = {.seq = slot->told_aside, .module = slot->name};
    struct chy_write w = {.kind = CHY_WRITE_OUTBOX_DONE, .outbox_seq = e.seq, .entry = &e};
    if (chy_store_write_wait(slot->ca->store, &w, &err) != CHY_S_OK) {
        chy_health_store_failed(slot->ca, &err);
        return false;
    }
    slot->told_aside = 0;
    atomic_fetch_sub(&slot->backlog, 1);
    return true;
}

static enum chy_exit_told try_one(struct chy_exit_slot *slot, const struct chy_outbox_entry *e)
{
    struct chy_err err = {0};
    enum chy_exit_told told = chy_exit_tell_read(slot, e, &err);
    if (told == CHY_EXIT_TOLD) {
        chy_exit_taken(slot);
        slot->told_aside = e->seq;
        if (!cross_off_told(slot)) told = CHY_EXIT_UNREAD;
    } else if (told == CHY_EXIT_REFUSED) {
        struct chy_instance_info info;
        chy_instance_info(slot->instance, &info);
        if (info.quarantined || !chy_exit_refused(slot, e, &err)) told = CHY_EXIT_UNREAD;
    }
    return told;
}

enum chy_exit_told chy_exit_retry(struct chy_exit_slot *slot)
{
    chy_time now = chy_now(slot->ca->clock);
    struct chy_outbox_entry entry[DUE_AT_ONCE];
    struct chy_outbox_query q = {.kind = CHY_OUTBOX_DUE, .module = slot->name, .due = now};
    struct chy_store *store = slot->ca->store;
    struct chy_arena a;
    size_t n = DUE_AT_ONCE;
    enum chy_exit_told told = CHY_EXIT_NOTHING;
    if (chy_exit_is_closing(slot)) return told;
    if (atomic_exchange(&slot->recount, false)) chy_exit_count(slot);
    if (slot->told_aside && !cross_off_told(slot)) return CHY_EXIT_UNREAD;
    if (!is_due(slot, now)) return told;
    q.beyond = farthest(slot, now);
    chy_arena_init(&a, 1 << 20);
    chy_hresult hr = store->ops->outbox(store, &q, &a, entry, &n, NULL);
    for (size_t i = 0; hr == CHY_S_OK && i < n && chy_exit_may_tell(slot); i++) {
        told = try_one(slot, &entry[i]);
        if (told != CHY_EXIT_TOLD) break;
    }
    chy_arena_free(&a);
    if (told == CHY_EXIT_LOST) return told;
    chy_exit_count(slot);
    if (hr == CHY_S_OK && !n) { /* each waits behind one that is not due */
        atomic_store(&slot->next_try, now + BLOCKED_US);
        atomic_store(&slot->last_try, CHY_TIME_DEFAULT);
    }
    return hr != CHY_S_OK ? CHY_EXIT_NOTHING : told;
}
