/* One run of the publisher: which CRLs are made, under one number; their records, files and event.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/publisher.h"

enum { MAX_SHARD = 65535, DUE_SLACK_S = 1, BASES_MAX = 1024 };

struct run {
    struct chy_publisher *p;
    struct chy_settings *settings;
    const struct chy_crl_order *order;
    bool is_manual;
    uint64_t number;
    chy_time now;
    int64_t seq;         /* changes up to here are on what this run makes */
    bool is_revoked;     /* something changed since the last run */
    uint8_t *changed[2]; /* of shards, for bases and deltas; of the key at hand */
    struct chy_crl_kept *made;
    size_t n, cap;
    struct chy_err *err;
};

/* ---- what there is ---- */
static int in_order(const void *a, const void *b)
{
    const struct chy_crl_record *x = &((const struct chy_crl_kept *)a)->record;
    const struct chy_crl_record *y = &((const struct chy_crl_kept *)b)->record;
    if (x->key_index != y->key_index) return x->key_index < y->key_index ? -1 : 1;
    if (x->shard != y->shard) return x->shard < y->shard ? -1 : 1;
    if (x->is_delta != y->is_delta) return x->is_delta ? 1 : -1;
    return x->number < y->number ? -1 : x->number > y->number;
}

void chy_crl_sort(struct chy_crl_kept *kept, size_t n)
{
    if (n) qsort(kept, n, sizeof(*kept), in_order);
}

/* The first of the kept ones behind all of a scope and kind, up to a number. */
static size_t behind(const struct chy_publisher *p, int32_t key_index, int32_t shard, bool is_delta,
                     uint64_t number)
{
    const struct chy_crl_kept last = {
        .record = {.key_index = key_index, .shard = shard, .is_delta = is_delta, .number = number}};
    size_t lo = 0, hi = p->n_kept;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (in_order(&p->kept[mid], &last) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct chy_crl_kept *chy_crl_newest(struct chy_publisher *p, int32_t key_index, int32_t shard,
                                    bool is_delta)
{
    size_t end = behind(p, key_index, shard, is_delta, UINT64_MAX);
    struct chy_crl_kept *k = end ? &p->kept[end - 1] : NULL;
    bool found = k && k->record.key_index == key_index && k->record.shard == shard &&
                 k->record.is_delta == is_delta;
    return found ? k : NULL;
}

const struct chy_authority *chy_crl_signer_of(const struct chy_ca *ca, const struct chy_settings *s,
                                              int32_t key_index, chy_time now)
{
    const struct chy_authority *newest = NULL;
    bool alive = s->crl.flags & CHY_CRLF_PRESERVE_EXPIRED_CA_CERTS;
    for (size_t i = 0; i < atomic_load(&ca->n_authorities); i++) {
        if (ca->authority[i]->key_index != key_index) continue;
        newest = ca->authority[i];
        alive = alive || now <= newest->cert.not_after;
    }
    return alive ? newest : NULL;
}

int32_t chy_crl_last_shard(struct chy_publisher *p, const struct chy_settings *s, int32_t key_index)
{
    bool is_newest = chy_ca_current(p->ca)->key_index == key_index;
    int32_t last = is_newest ? s->crl.max_shards : 0;
    size_t end = behind(p, key_index, INT32_MAX, true, UINT64_MAX);
    const struct chy_crl_kept *k = end ? &p->kept[end - 1] : NULL;
    if (k && k->record.key_index == key_index && k->record.shard > last) last = k->record.shard;
    return last;
}

void chy_crl_note_shards(struct chy_publisher *p)
{
    int32_t key = chy_ca_current(p->ca)->key_index, n = 0;
    while (n < MAX_SHARD && chy_crl_newest(p, key, n + 1, false))
        n++;
    atomic_store(&p->shards_ready, n);
}

/* ---- what is due ---- */
static chy_time due_of(const struct chy_crl_kept *k, const struct chy_settings *s, bool is_delta,
                       chy_time now)
{
    /* Made while the clock was ahead, it does not hold yet: nobody can use it. */
    bool is_early = k->record.this_publish > now && k->record.this_update > now;
    if (k->is_lost || is_early) return 0;
    chy_time moved = is_delta ? s->crl.next_delta_publish : s->crl.next_publish;
    bool counts = moved != CHY_TIME_DEFAULT && moved > k->record.this_publish;
    if (!counts) return k->record.next_publish;
    return moved < k->record.next_update ? moved : k->record.next_update; /* none lapses for it */
}

/* fn for each scope that is to have CRLs, until it says false. */
static bool each_scope(struct chy_publisher *p, const struct chy_settings *s, chy_time now,
                       bool (*fn)(struct chy_publisher *p, const struct chy_settings *s,
                                  int32_t key, int32_t shard, void *arg),
                       void *arg)
{
    size_t n = atomic_load(&p->ca->n_authorities);
    for (size_t i = 0; i < n; i++) {
        const struct chy_authority *a = p->ca->authority[i];
        if (a->key_index != a->index || !chy_crl_signer_of(p->ca, s, a->key_index, now)) continue;
        int32_t last = chy_crl_last_shard(p, s, a->key_index);
        for (int32_t shard = 0; shard <= last; shard++) {
            if (!fn(p, s, a->key_index, shard, arg)) return false;
        }
    }
    return true;
}

struct due {
    bool is_delta;
    chy_time now, at;
};

/* Empty, and the last of its kind: where there are to be deltas again, it is none. */
static bool is_shadow(const struct chy_crl_kept *k)
{
    return k->record.flags & CHY_CPF_SHADOW;
}

/* Deltas were switched off: the last one is empty and of a new base, which everybody fetches then.
 * At once: no other will follow it. */
static bool wants_shadow(struct chy_publisher *p, const struct chy_settings *s, int32_t key,
                         int32_t shard)
{
    const struct chy_crl_kept *k = chy_crl_newest(p, key, shard, true);
    return !s->crl.delta_period.n && k && !is_shadow(k);
}

static bool earlier(struct chy_publisher *p, const struct chy_settings *s, int32_t key,
                    int32_t shard, void *arg)
{
    struct due *d = arg;
    const struct chy_crl_kept *k = chy_crl_newest(p, key, shard, d->is_delta);
    const struct chy_crl_kept *base = chy_crl_newest(p, key, shard, false);
    /* A delta of nothing cannot be made: it comes with the next base. */
    if (d->is_delta && (!base || base->record.next_update <= d->now)) return true;
    chy_time at = k && !is_shadow(k) ? due_of(k, s, d->is_delta, d->now) : 0;
    if (!d->is_delta && wants_shadow(p, s, key, shard)) at = 0;
    if (d->at == CHY_TIME_DEFAULT || at < d->at) d->at = at;
    return true;
}

chy_time chy_crl_scheduled(struct chy_publisher *p, const struct chy_settings *s, bool is_delta)
{
    struct due d = {is_delta, chy_now(p->ca->clock), CHY_TIME_DEFAULT};
    if (is_delta && !s->crl.delta_period.n) return CHY_TIME_DEFAULT;
    (void)each_scope(p, s, d.now, earlier, &d);
    return d.at;
}

bool chy_crl_has_unplaced(struct chy_publisher *p)
{
    for (size_t i = 0; i < p->n_kept; i++) {
        const struct chy_crl_record *r = &p->kept[i].record;
        if (r->status != CHY_S_OK &&
            chy_crl_newest(p, r->key_index, r->shard, r->is_delta) == &p->kept[i])
            return true;
    }
    return false;
}

bool chy_crl_is_due(struct chy_publisher *p, const struct chy_settings *s, chy_time now,
                    bool is_delta)
{
    chy_time at = chy_crl_scheduled(p, s, is_delta);
    return at != CHY_TIME_DEFAULT && at <= now;
}

/* ---- which shards changed ---- */
static bool note_changed(const struct chy_revoked *r, void *arg)
{
    uint8_t *changed = arg;
    if (r->shard >= 0 && r->shard <= MAX_SHARD) changed[r->shard] = 1;
    return true;
}

static chy_hresult find_changed(struct run *run, int32_t key_index, bool is_delta)
{
    struct chy_store *store = run->p->ca->store;
    const struct chy_crl_scope all = {key_index, CHY_CRL_SHARD_ANY};
    const struct chy_crl_seen *seen = &run->p->seen[is_delta];
    uint8_t *changed = run->changed[is_delta];
    memset(changed, 0, MAX_SHARD + 1);
    changed[0] = run->is_revoked;
    /* Which shards, only where there are several: it costs a look at each change. */
    if (chy_crl_last_shard(run->p, run->settings, key_index) == 0 ||
        (is_delta && !run->settings->crl.delta_period.n))
        return CHY_S_OK;
    changed[0] = 0;
    chy_hresult hr = store->ops->revoked_since(store, &all, seen->seq, seen->when, run->now,
                                               note_changed, changed, run->err);
    bool any = memchr(changed, 1, MAX_SHARD + 1) != NULL;
    if (!(run->settings->crl.flags & CHY_CRLF_CRLPARTITION_ZERO_EXCLUSIVE) && any) changed[0] = 1;
    return hr;
}

static bool is_wanted(const struct run *run, int32_t key, int32_t shard, bool is_delta)
{
    const struct chy_crl_order *o = run->order;
    const struct chy_settings *s = run->settings;
    const struct chy_crl_kept *k = chy_crl_newest(run->p, key, shard, is_delta);
    if (is_delta && !s->crl.delta_period.n) return false;
    if (o->shard != CHY_CRL_SHARD_ANY) return o->shard == shard;
    /* The first CRLs of more shards: the one of the others says from then on what it leaves out. */
    if (!k || is_shadow(k) ||
        !chy_crl_newest(run->p, key, chy_crl_last_shard(run->p, s, key), is_delta))
        return true;
    if (run->is_manual && chy_crl_last_shard(run->p, s, key) == 0) return true;
    if (!is_delta && wants_shadow(run->p, s, key, shard)) return true;
    return run->changed[is_delta][shard] || o->next_update != CHY_TIME_DEFAULT ||
           due_of(k, s, is_delta, run->now) <= run->now + DUE_SLACK_S * CHY_US_PER_S;
}

/* ---- making ---- */
static struct chy_crl_kept *room_for_one(struct run *run)
{
    if (run->n == run->cap) {
        size_t cap = run->cap ? 2 * run->cap : 16;
        struct chy_crl_kept *more = chy_realloc(run->made, cap * sizeof(*more));
        if (!more) return NULL;
        run->made = more;
        run->cap = cap;
    }
    struct chy_crl_kept *k = &run->made[run->n];
    memset(k, 0, sizeof(*k));
    return k;
}

static void log_made(const struct chy_ca *ca, const struct chy_crl_kept *k)
{
    char name[192], number[24], entries[24], size[24], ms[24], next[40];
    const struct chy_crl_record *r = &k->record;
    chy_crl_name(ca, r, name, sizeof(name));
    snprintf(number, sizeof(number), "%llu", (unsigned long long)r->number);
    snprintf(entries, sizeof(entries), "%lld", (long long)r->entries);
    snprintf(size, sizeof(size), "%lld", (long long)r->size);
    snprintf(ms, sizeof(ms), "%lld", (long long)(r->sign_us / 1000));
    chy_time_format(next, r->next_update);
    chy_log(r->status == CHY_S_OK ? CHY_LOG_LEVEL_INFO : CHY_LOG_LEVEL_WARNING, "crl.published",
            "ca", chy_ca_name(ca), "crl", name, "number", number, "entries", entries, "octets",
            size, "ms", ms, "next_update", next, "error", k->error, NULL);
}

/* What a CRL of a scope builds upon: copies, for what is made lies in memory that moves. */
struct before {
    bool has_base, has_previous;
    struct chy_crl_record base, previous;
};

static void look_back(const struct run *run, int32_t key, int32_t shard, struct before *out)
{
    const struct chy_publisher *p = run->p;
    bool use_oldest = run->settings->crl.flags & CHY_CRLF_DELTA_USE_OLDEST_UNEXPIRED_BASE;
    size_t from = behind(p, key, shard, false, 0), end = behind(p, key, shard, false, UINT64_MAX);
    const struct chy_crl_record *made = run->n ? &run->made[run->n - 1].record : NULL;
    const struct chy_crl_record *previous = from < end ? &p->kept[end - 1].record : NULL;
    struct chy_crl_bases bases = {NULL, NULL};
    for (; from < end; from++)
        chy_crl_consider(&bases, &p->kept[from].record, run->now);
    /* What is over by the base of this run is told by its delta as well. */
    if (made && made->key_index == key && made->shard == shard && !made->is_delta)
        chy_crl_consider(&bases, made, run->now);
    const struct chy_crl_record *base = chy_crl_delta_base(&bases, use_oldest);
    *out = (struct before){.has_base = base != NULL, .has_previous = previous != NULL};
    if (base) out->base = *base;
    if (previous) out->previous = *previous;
}

/* Does it list all certificates of its key? That of shard 0 does unless it is kept to its own,
 * where there are others. */
static bool is_whole(const struct run *run, int32_t key, int32_t shard)
{
    bool exclusive = run->settings->crl.flags & CHY_CRLF_CRLPARTITION_ZERO_EXCLUSIVE;
    return shard == 0 && !(exclusive && chy_crl_last_shard(run->p, run->settings, key) > 0);
}

/* A clock that was set back a little, or a larger ClockSkewMinutes: the newer of two lists does not
 * say that it is the older. */
static void follow(struct run *run, const struct chy_crl_making *m, struct chy_crl_times *t)
{
    const struct chy_crl_kept *last =
        chy_crl_newest(run->p, m->authority->key_index, m->shard, m->is_delta);
    if (last && last->record.this_update > t->this_update && last->record.this_update <= run->now)
        t->this_update = last->record.this_update;
}

static chy_hresult make_one(struct run *run, const struct chy_authority *a,
                            struct chy_signer *signer, int32_t shard, bool is_delta, bool as_shadow)
{
    struct before before;
    look_back(run, a->key_index, shard, &before);
    struct chy_crl_kept *k = room_for_one(run);
    struct chy_crl_making m = {.ca = run->p->ca,
                               .settings = run->settings,
                               .authority = a,
                               .signer = signer,
                               .shard = shard,
                               .is_delta = is_delta,
                               .is_manual = run->is_manual,
                               .is_whole = is_whole(run, a->key_index, shard),
                               .is_shadow = as_shadow,
                               .number = run->number,
                               .seq = run->seq,
                               .now = run->now};
    if (!k) return chy_fail_nomem(run->err, "CRL");
    m.previous = before.has_previous ? &before.previous : NULL;
    m.base = is_delta && !as_shadow ? &before.base : NULL;
    if (m.base && !before.has_base) return CHY_S_OK; /* with the first base, then */
    chy_hresult hr = chy_crl_times(&run->settings->crl, is_delta && !as_shadow, run->now,
                                   a->cert.not_before, run->order->next_update, &m.times, run->err);
    if (hr == CHY_S_OK) follow(run, &m, &m.times);
    if (hr == CHY_S_OK) hr = chy_crl_make(&m, &k->record, run->err);
    if (hr != CHY_S_OK) return hr;
    run->n++;
    chy_crl_place(run->p, run->settings, a, k);
    return CHY_S_OK;
}

static chy_hresult make_scope(struct run *run, const struct chy_authority *a,
                              struct chy_signer *signer, int32_t shard)
{
    bool base = run->order->flags & CHY_CA_CRL_BASE && is_wanted(run, a->key_index, shard, false);
    bool delta =
        (base && run->settings->crl.delta_period.n) ||
        (run->order->flags & CHY_CA_CRL_DELTA && is_wanted(run, a->key_index, shard, true));
    bool shadow = base && wants_shadow(run->p, run->settings, a->key_index, shard);
    chy_hresult hr = base ? make_one(run, a, signer, shard, false, false) : CHY_S_OK;
    if (hr == CHY_S_OK && delta) hr = make_one(run, a, signer, shard, true, false);
    if (hr == CHY_S_OK && shadow) hr = make_one(run, a, signer, shard, true, true);
    return hr;
}

/* A key that does not sign CRLs does not sign certificates either, unless it was for a moment. */
static void suspect_key(const struct run *run, const struct chy_authority *a)
{
    struct chy_err err = {0};
    if (a == chy_ca_current(run->p->ca) && chy_key_try(a->key, &err) != CHY_S_OK)
        chy_health_key_failed(run->p->ca, &err);
}

static chy_hresult make_key(struct run *run, const struct chy_authority *a)
{
    struct chy_signer *signer = NULL;
    int32_t last = chy_crl_last_shard(run->p, run->settings, a->key_index);
    chy_hresult hr = chy_signer_new(a->key, a->sig_alg, &signer, run->err);
    for (int kind = 0; kind < 2 && hr == CHY_S_OK; kind++)
        hr = find_changed(run, a->key_index, kind == 1);
    for (int32_t shard = 0; shard <= last && hr == CHY_S_OK; shard++)
        hr = make_scope(run, a, signer, shard);
    chy_signer_free(signer);
    if (hr == CHY_NTE_BAD_SIGNATURE || hr == CHY_NTE_FAIL) suspect_key(run, a);
    return hr;
}

/* ---- records ---- */
static chy_hresult reserve_number(struct run *run)
{
    char text[24];
    run->number = chy_crl_number_after(run->p->number, run->now);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)run->number);
    struct chy_write w = {
        .kind = CHY_WRITE_META, .path = CHY_META_CRL_NUMBER, .value = chy_span_cstr(text)};
    chy_hresult hr = chy_store_write_wait(run->p->ca->store, &w, run->err);
    if (hr != CHY_S_OK)
        chy_health_store_failed(run->p->ca, run->err);
    else
        run->p->number = run->number;
    (void)CHY_FAULT("crl.after_number");
    return hr;
}

/* One commit for all of them, and the event with the last. */
static chy_hresult write_records(struct run *run, bool is_new)
{
    struct chy_ca *ca = run->p->ca;
    struct chy_owed owed[CHY_CA_MAX_EXITS];
    bool is_owed = false;
    size_t n_owed = is_new ? chy_outbox_owe_event(ca, CHY_EXITEVENT_CRLISSUED, owed) : 0;
    struct chy_write *w = chy_calloc(run->n ? run->n : 1, sizeof(*w));
    chy_hresult hr = w ? CHY_S_OK : chy_fail_nomem(run->err, "CRL");
    for (size_t i = 0; i < run->n && hr == CHY_S_OK; i++) {
        run->made[i].record.error = chy_span_cstr(run->made[i].error);
        w[i] = (struct chy_write){.kind = CHY_WRITE_CRL,
                                  .crl = &run->made[i].record,
                                  .when = run->now,
                                  .soon = run->n - 1 - i};
    }
    chy_outbox_apart(ca);
    if (hr == CHY_S_OK && run->n) {
        struct chy_write *last = &w[run->n - 1];
        last->owed = owed;
        last->n_owed = n_owed;
        for (size_t i = 0; i + 1 < run->n; i++)
            chy_store_write(ca->store, &w[i]);
        hr = chy_store_write_wait(ca->store, last, run->err);
        is_owed = is_new && hr == CHY_S_OK; /* whatever became of the others */
    }
    for (size_t i = 0; i < run->n && hr == CHY_S_OK; i++) {
        if (w[i].result != CHY_S_OK) hr = chy_fail(run->err, w[i].result, "%s", w[i].err.text);
    }
    chy_free(w);
    (void)CHY_FAULT("crl.before_told");
    if (is_owed) chy_outbox_behind(ca, CHY_EXITEVENT_CRLISSUED);
    if (hr != CHY_S_OK) chy_health_store_failed(ca, run->err);
    chy_outbox_together(ca);
    (void)CHY_FAULT("crl.after_record");
    return hr;
}

static bool same_kind(const struct chy_crl_record *a, const struct chy_crl_record *b)
{
    return a->key_index == b->key_index && a->shard == b->shard && a->is_delta == b->is_delta;
}

/* The newest of each scope and kind, and those that still hold: a delta may refer to them. */
static bool still_matters(const struct chy_crl_kept *k, const struct chy_crl_kept *next,
                          chy_time now)
{
    bool is_newest = !next || !same_kind(&k->record, &next->record);
    return is_newest || (!k->record.is_delta && k->record.next_update > now);
}

size_t chy_crl_thin(struct chy_crl_kept *kept, size_t n)
{
    size_t used = 0;
    for (size_t from = 0, to; from < n; from = to) {
        chy_time last = 0;
        for (to = from + 1; to < n && same_kind(&kept[from].record, &kept[to].record);)
            to++;
        bool many = to - from > BASES_MAX;
        for (size_t i = from; i < to; i++) {
            const struct chy_crl_record *r = &kept[i].record;
            chy_time apart = (r->next_update - r->this_publish) / (BASES_MAX / 2);
            if (many && i > from && i + 1 < to && r->this_publish < last + apart) continue;
            last = r->this_publish;
            if (used != i) kept[used] = kept[i];
            used++;
        }
    }
    return used;
}

static chy_hresult take_over(struct run *run)
{
    struct chy_publisher *p = run->p;
    size_t n = p->n_kept + run->n, used = 0;
    struct chy_crl_kept *all = chy_calloc(n ? n : 1, sizeof(*all));
    if (!all) return chy_fail_nomem(run->err, "CRL");
    if (p->n_kept) memcpy(all, p->kept, p->n_kept * sizeof(*all));
    if (run->n) memcpy(all + p->n_kept, run->made, run->n * sizeof(*all));
    for (size_t i = p->n_kept; i < n; i++)
        all[i].record.error = (struct chy_span){0};
    chy_crl_sort(all, n);
    for (size_t i = 0; i < n; i++) {
        const struct chy_crl_kept *next = i + 1 < n ? &all[i + 1] : NULL;
        bool replaced = next && in_order(&all[i], next) == 0; /* written out again */
        if (!replaced && still_matters(&all[i], next, run->now)) all[used++] = all[i];
    }
    used = chy_crl_thin(all, used);
    pthread_mutex_lock(&p->lock);
    struct chy_crl_kept *old = p->kept;
    p->kept = all;
    p->n_kept = used;
    p->cap_kept = n;
    pthread_mutex_unlock(&p->lock);
    chy_free(old);
    return CHY_S_OK;
}

/* KEY-SHARD-NUMBER.crl, with '+' before the dot for a delta. */
static bool is_current(struct chy_publisher *p, const char *file)
{
    int key, shard, end = 0;
    unsigned long long number;
    if (sscanf(file, "%d-%d-%llu%n", &key, &shard, &number, &end) != 3) return false;
    bool is_delta = file[end] == '+';
    if (strcmp(file + end + is_delta, ".crl") != 0) return false;
    const struct chy_crl_kept *k = chy_crl_newest(p, key, shard, is_delta);
    return k && k->record.number == number;
}

void chy_crl_sweep(struct chy_publisher *p)
{
    char path[4500];
    snprintf(path, sizeof(path), "%s/crl", p->ca->dir);
    DIR *dir = opendir(path);
    struct dirent *e;
    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] == '.' || is_current(p, e->d_name)) continue;
        snprintf(path, sizeof(path), "%s/crl/%s", p->ca->dir, e->d_name);
        (void)unlink(path);
    }
    if (dir) closedir(dir);
}

/* ---- the run ---- */
static void drop_made(struct run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        char path[4096];
        chy_crl_file(run->p->ca, &run->made[i].record, path, sizeof(path));
        (void)unlink(path);
    }
}

static bool again_one(struct chy_publisher *p, const struct chy_settings *s, int32_t key,
                      int32_t shard, void *arg)
{
    struct run *run = arg;
    const struct chy_authority *a = chy_crl_signer_of(p->ca, s, key, run->now);
    for (int kind = 0; kind < 2; kind++) {
        const struct chy_crl_kept *old = chy_crl_newest(p, key, shard, kind == 1);
        bool wanted = old && (run->is_manual || old->record.status != CHY_S_OK);
        struct chy_crl_kept *k = wanted ? room_for_one(run) : NULL;
        if (!k) continue;
        *k = *old;
        run->n++;
        chy_crl_place(p, s, a, k);
    }
    return true;
}

static chy_hresult make_all(struct run *run)
{
    struct chy_publisher *p = run->p;
    size_t n = atomic_load(&p->ca->n_authorities);
    /* In this order: what was revoked before the first question counts at the second. */
    chy_hresult hr = p->ca->store->ops->last_seq(p->ca->store, &run->seq, run->err);
    run->now = chy_now(p->ca->clock);
    if (hr == CHY_S_OK) hr = reserve_number(run);
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++) {
        const struct chy_authority *a = p->ca->authority[i];
        const struct chy_authority *signs =
            a->key_index == a->index
                ? chy_crl_signer_of(p->ca, run->settings, a->key_index, run->now)
                : NULL;
        if (signs) hr = make_key(run, signs);
    }
    return hr;
}

static void note_seen(struct run *run)
{
    if (run->order->shard != CHY_CRL_SHARD_ANY) return;
    const struct chy_crl_seen now = {run->seq, run->now};
    if (run->order->flags & CHY_CA_CRL_BASE) run->p->seen[0] = now;
    if (run->settings->crl.delta_period.n) run->p->seen[1] = now;
}

static chy_hresult check_order(const struct run *run)
{
    const struct chy_crl_order *o = run->order;
    if (o->flags & CHY_CA_CRL_DELTA && !(o->flags & CHY_CA_CRL_BASE) &&
        !run->settings->crl.delta_period.n) {
        return chy_fail(run->err, CHY_E_INVALIDARG,
                        "delta CRLs are switched off: set CRLDeltaPeriodUnits to 1 or more");
    }
    if (o->shard < CHY_CRL_SHARD_ANY ||
        o->shard >
            chy_crl_last_shard(run->p, run->settings, chy_ca_current(run->p->ca)->key_index)) {
        return chy_fail(run->err, CHY_E_INVALIDARG, "there is no shard %d: see CRLMaxPartitions",
                        o->shard);
    }
    return CHY_S_OK;
}

static chy_hresult run_all(struct run *run)
{
    bool republish = run->order->flags & CHY_CA_CRL_REPUBLISH;
    chy_hresult hr = check_order(run);
    if (hr == CHY_S_OK) hr = chy_health_may_publish(run->p->ca, run->err);
    if (hr != CHY_S_OK) return hr;
    if (republish)
        (void)each_scope(run->p, run->settings, run->now, again_one, run);
    else
        hr = make_all(run);
    chy_crl_place_certs(run->p, run->settings);
    if (hr != CHY_S_OK) {
        if (!republish) drop_made(run);
        return hr;
    }
    /* A record that failed may be there all the same: its file stays. */
    atomic_store(&run->p->ca->crls_settling, true);
    if (run->n) hr = write_records(run, !republish);
    (void)CHY_FAULT("crl.before_taken_over");
    if (hr == CHY_S_OK && run->n) hr = take_over(run);
    atomic_store(&run->p->ca->crls_settling, false);
    if (hr != CHY_S_OK) return hr;
    if (!republish) note_seen(run);
    chy_crl_note_shards(run->p);
    chy_crl_sweep(run->p);
    return CHY_S_OK;
}

/* What was published but not to every place is told as an error, though the CRLs are there. */
static void fill_result(const struct run *run, struct chy_crl_result *out)
{
    bool republish = run->order->flags & CHY_CA_CRL_REPUBLISH;
    out->made = (uint32_t)run->n;
    out->number = run->n && !republish ? run->number : 0;
    for (size_t i = 0; i < run->n; i++) {
        log_made(run->p->ca, &run->made[i]);
        if (run->made[i].record.status != CHY_S_OK && out->status == CHY_S_OK)
            out->status = chy_fail(&out->err, run->made[i].record.status, "%s", run->made[i].error);
    }
}

/* Does the run put on CRLs what was revoked, as CRLPublishOnRevoke wants it? */
static bool tells_of_revocations(const struct run *run)
{
    const struct chy_crl_settings *s = &run->settings->crl;
    uint32_t flags = run->order->flags;
    bool by_delta = s->on_revoke == CHY_ON_REVOKE_DELTA && s->delta_period.n;
    if (flags & CHY_CA_CRL_REPUBLISH || run->order->shard != CHY_CRL_SHARD_ANY) return false;
    return flags & CHY_CA_CRL_BASE || (by_delta && flags & CHY_CA_CRL_DELTA);
}

void chy_crl_run(struct chy_publisher *p, const struct chy_crl_order *order, bool is_manual,
                 struct chy_crl_result *result)
{
    struct run run = {.p = p,
                      .settings = chy_settings_get(p->ca),
                      .order = order,
                      .is_manual = is_manual,
                      .now = chy_now(p->ca->clock),
                      .err = &result->err};
    int64_t since = chy_monotonic(&chy_system_clock);
    pthread_mutex_lock(&p->lock);
    run.is_revoked = p->revoked;
    bool is_told = p->revoked && tells_of_revocations(&run);
    if (is_told) p->revoked = false; /* what comes from here on may not be on them */
    pthread_mutex_unlock(&p->lock);
    run.changed[0] = chy_calloc(2, MAX_SHARD + 1);
    run.changed[1] = run.changed[0] ? run.changed[0] + MAX_SHARD + 1 : NULL;
    result->status = run.changed[0] ? run_all(&run) : chy_fail_nomem(&result->err, "CRL");
    if (result->status == CHY_S_OK)
        fill_result(&run, result);
    else if (is_told)
        chy_publisher_revoked(p->ca);
    p->last_cost_us = chy_monotonic(&chy_system_clock) - since;
    p->effective_known = false;
    chy_free(run.changed[0]);
    chy_free(run.made);
    chy_settings_unref(run.settings);
}
