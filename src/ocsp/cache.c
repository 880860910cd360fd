/* Shards, each a hash table with a list in the order of use under its own lock. */
#include "ocsp/cache.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS = 16, COUNTERS = 65536, FOREIGN = COUNTERS };

struct entry {
    struct entry *next;          /* of the bucket */
    struct entry *newer, *older; /* of the list in the order of use */
    uint64_t hash;
    struct chy_ocsp_mark mark;
    struct chy_ocsp_kept kept;
    size_t id_n, octets;
    uint8_t text[]; /* CertID, then the answer */
};

struct shard {
    pthread_mutex_t lock;
    struct entry **bucket;
    struct entry *newest, *oldest;
    size_t n, octets;
};

struct chy_ocsp_cache {
    struct shard shard[SHARDS];
    size_t n_buckets; /* of one shard, a power of two */
    size_t max_entries, max_octets;
    uint64_t key[2]; /* nobody outside can choose who shares a bucket */
    atomic_uint epoch;
    atomic_uint counter[COUNTERS + 1];
};

/* SipHash-1-3 (Aumasson, Bernstein): short inputs, a secret key. */
static inline uint64_t turn(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = turn(v[1], 13) ^ v[0];
    v[0] = turn(v[0], 32);
    v[2] += v[3];
    v[3] = turn(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = turn(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = turn(v[1], 17) ^ v[2];
    v[2] = turn(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_of(const struct chy_ocsp_cache *c, struct chy_span s)
{
    uint64_t v[4] = {
        c->key[0] ^ UINT64_C(0x736f6d6570736575), c->key[1] ^ UINT64_C(0x646f72616e646f6d),
        c->key[0] ^ UINT64_C(0x6c7967656e657261), c->key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word, last = (uint64_t)s.n << 56;
    size_t i = 0;
    for (; s.n - i >= 8; i += 8) {
        memcpy(&word, s.p + i, 8);
        sip_word(v, word);
    }
    for (size_t k = 0; i + k < s.n; k++)
        last |= (uint64_t)s.p[i + k] << 8 * k;
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct shard *shard_of(struct chy_ocsp_cache *c, uint64_t hash)
{
    return &c->shard[hash >> 60];
}

static struct entry **bucket_of(const struct chy_ocsp_cache *c, struct shard *s, uint64_t hash)
{
    return &s->bucket[hash & (c->n_buckets - 1)];
}

/* ---- one shard, its lock held ---- */
static void unlink_use(struct shard *s, struct entry *e)
{
    if (e->newer) {
        e->newer->older = e->older;
    } else {
        s->newest = e->older;
    }
    if (e->older) {
        e->older->newer = e->newer;
    } else {
        s->oldest = e->newer;
    }
}

static void link_newest(struct shard *s, struct entry *e)
{
    e->newer = NULL;
    e->older = s->newest;
    if (s->newest) {
        s->newest->newer = e;
    } else {
        s->oldest = e;
    }
    s->newest = e;
}

static void drop(struct chy_ocsp_cache *c, struct shard *s, struct entry *e)
{
    struct entry **at = bucket_of(c, s, e->hash);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlink_use(s, e);
    s->n--;
    s->octets -= e->octets;
    chy_free(e);
}

static struct entry *find(struct chy_ocsp_cache *c, struct shard *s, uint64_t hash,
                          struct chy_span id)
{
    struct entry *e = *bucket_of(c, s, hash);
    while (e && (e->hash != hash || e->id_n != id.n || memcmp(e->text, id.p, id.n) != 0))
        e = e->next;
    return e;
}

static bool counts(struct chy_ocsp_cache *c, const struct chy_ocsp_mark *m)
{
    return atomic_load(&c->counter[m->slot]) == m->generation && atomic_load(&c->epoch) == m->epoch;
}

/* ---- all of it ---- */
struct chy_ocsp_cache *chy_ocsp_cache_new(size_t entries, size_t octets, struct chy_err *err)
{
    struct chy_ocsp_cache *c = chy_calloc(1, sizeof(*c));
    if (!c) {
        chy_fail_nomem(err, "OCSP answers");
        return NULL;
    }
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&c->shard[i].lock, NULL);
    c->max_entries = (entries + SHARDS - 1) / SHARDS;
    c->max_octets = octets / SHARDS;
    for (c->n_buckets = 1; c->n_buckets < c->max_entries;)
        c->n_buckets *= 2;
    /* Of the kernel: OpenSSL's generator need not start before the first answer is asked for. */
    bool good = getentropy(c->key, sizeof(c->key)) == 0;
    if (!good) chy_fail_errno(err, "random octets");
    for (size_t i = 0; i < SHARDS && good; i++) {
        c->shard[i].bucket = chy_calloc(c->n_buckets, sizeof(struct entry *));
        if (!c->shard[i].bucket) good = chy_fail_nomem(err, "OCSP answers") == CHY_S_OK;
    }
    if (good) return c;
    chy_ocsp_cache_free(c);
    return NULL;
}

void chy_ocsp_cache_free(struct chy_ocsp_cache *c)
{
    if (!c) return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shard[i];
        while (s->oldest)
            drop(c, s, s->oldest);
        chy_free(s->bucket);
        pthread_mutex_destroy(&s->lock);
    }
    chy_free(c);
}

static struct chy_ocsp_mark mark_of(struct chy_ocsp_cache *c, uint32_t slot)
{
    return (struct chy_ocsp_mark){slot, atomic_load(&c->counter[slot]), atomic_load(&c->epoch)};
}

struct chy_ocsp_mark chy_ocsp_cache_mark(struct chy_ocsp_cache *c, struct chy_span serial)
{
    return mark_of(c, (uint32_t)(hash_of(c, serial) % COUNTERS));
}

struct chy_ocsp_mark chy_ocsp_cache_mark_foreign(struct chy_ocsp_cache *c)
{
    return mark_of(c, FOREIGN);
}

void chy_ocsp_cache_changed(struct chy_ocsp_cache *c, struct chy_span serial)
{
    atomic_fetch_add(&c->counter[hash_of(c, serial) % COUNTERS], 1);
}

void chy_ocsp_cache_changed_foreign(struct chy_ocsp_cache *c)
{
    atomic_fetch_add(&c->counter[FOREIGN], 1);
}

void chy_ocsp_cache_flush(struct chy_ocsp_cache *c)
{
    atomic_fetch_add(&c->epoch, 1);
}

static struct entry *entry_new(struct chy_span id, const struct chy_ocsp_mark *mark,
                               const struct chy_ocsp_kept *kept)
{
    size_t octets = sizeof(struct entry) + id.n + kept->answer.n;
    struct entry *e = chy_malloc(octets);
    if (!e) return NULL;
    *e = (struct entry){.mark = *mark, .kept = *kept, .id_n = id.n, .octets = octets};
    memcpy(e->text, id.p, id.n);
    memcpy(e->text + id.n, kept->answer.p, kept->answer.n);
    e->kept.answer = chy_span_of(e->text + id.n, kept->answer.n);
    return e;
}

void chy_ocsp_cache_put(struct chy_ocsp_cache *c, struct chy_span id,
                        const struct chy_ocsp_mark *mark, const struct chy_ocsp_kept *kept)
{
    struct entry *e = counts(c, mark) ? entry_new(id, mark, kept) : NULL;
    if (!e) return;
    e->hash = hash_of(c, id);
    struct shard *s = shard_of(c, e->hash);
    pthread_mutex_lock(&s->lock);
    struct entry *old = find(c, s, e->hash, id);
    if (old) drop(c, s, old);
    while (s->oldest && (s->n >= c->max_entries || s->octets + e->octets > c->max_octets))
        drop(c, s, s->oldest);
    struct entry **at = bucket_of(c, s, e->hash);
    e->next = *at;
    *at = e;
    link_newest(s, e);
    s->n++;
    s->octets += e->octets;
    pthread_mutex_unlock(&s->lock);
}

bool chy_ocsp_cache_use(struct chy_ocsp_cache *c, struct chy_span id, chy_time now,
                        bool (*use)(const struct chy_ocsp_kept *kept, void *arg), void *arg)
{
    uint64_t hash = hash_of(c, id);
    struct shard *s = shard_of(c, hash);
    bool used = false;
    pthread_mutex_lock(&s->lock);
    struct entry *e = find(c, s, hash, id);
    /* A clock that went back makes an answer one of the future: that one is not given. */
    if (e && counts(c, &e->mark) && now >= e->kept.this_update && now < e->kept.fresh_until) {
        used = use(&e->kept, arg);
        unlink_use(s, e);
        link_newest(s, e);
    } else if (e) {
        drop(c, s, e);
    }
    pthread_mutex_unlock(&s->lock);
    return used;
}

void chy_ocsp_cache_size(struct chy_ocsp_cache *c, size_t *entries, size_t *octets)
{
    *entries = *octets = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&c->shard[i].lock);
        *entries += c->shard[i].n;
        *octets += c->shard[i].octets;
        pthread_mutex_unlock(&c->shard[i].lock);
    }
}
