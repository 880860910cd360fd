/* How many requests of a requester were let pass. A request counts once, under its id; the count is
 * on disk before the answer leaves, and many that come together share one sync. */
#include "quota.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kit/sha256.h"

enum { SLACK = 4096 }; /* records that the file may have beyond twice what counts */

static chy_time now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (chy_time)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the table ---- */

static struct quota_bucket **head_of(struct quota_table *t, const uint8_t key[QUOTA_KEY])
{
    return &t->head[(key[0] | (size_t)key[1] << 8) % QUOTA_HEADS];
}

struct quota_bucket *quota_find(struct quota_table *t, const uint8_t key[QUOTA_KEY])
{
    struct quota_bucket *b = *head_of(t, key);
    while (b && memcmp(b->key, key, QUOTA_KEY) != 0)
        b = b->next;
    return b;
}

static struct quota_bucket *find_or_make(struct quota_table *t, const uint8_t key[QUOTA_KEY])
{
    struct quota_bucket *b = quota_find(t, key), **head = head_of(t, key);
    if (b) return b;
    b = calloc(1, sizeof *b);
    if (!b) return NULL;
    memcpy(b->key, key, QUOTA_KEY);
    b->next = *head;
    *head = b;
    return b;
}

bool quota_insert(struct quota_table *t, const uint8_t key[QUOTA_KEY], struct quota_entry e)
{
    struct quota_bucket *b = t->n < QUOTA_RECORDS_MAX ? find_or_make(t, key) : NULL;
    if (!b) return false;
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 4;
        struct quota_entry *more = realloc(b->v, cap * sizeof *more);
        if (!more) return false;
        b->v = more;
        b->cap = cap;
    }
    b->v[b->n++] = e;
    t->n++;
    return true;
}

void quota_prune(struct quota_table *t, struct quota_bucket *b, chy_time before)
{
    size_t old = 0;
    while (old < b->n && b->v[old].when <= before)
        old++;
    if (!old) return;
    memmove(b->v, b->v + old, (b->n - old) * sizeof *b->v);
    b->n -= old;
    t->n -= old;
}

static void bucket_free(struct quota_bucket *b)
{
    free(b->v);
    free(b);
}

void quota_sweep(struct quota_table *t, chy_time before)
{
    for (size_t h = 0; h < QUOTA_HEADS; h++) {
        for (struct quota_bucket **at = &t->head[h]; *at;) {
            struct quota_bucket *b = *at;
            quota_prune(t, b, before);
            if (b->n) {
                at = &b->next;
                continue;
            }
            *at = b->next;
            bucket_free(b);
        }
    }
}

void quota_table_free(struct quota_table *t)
{
    for (size_t h = 0; h < QUOTA_HEADS; h++) {
        while (t->head[h]) {
            struct quota_bucket *next = t->head[h]->next;
            bucket_free(t->head[h]);
            t->head[h] = next;
        }
    }
    t->n = 0;
}

/* ---- the quota ---- */

chy_hresult quota_open(const chy_host *host, void **own)
{
    struct quota *q = calloc(1, sizeof *q);
    (void)host;
    if (!q) return CHY_E_OUTOFMEMORY;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->synced, NULL);
    q->file.fd = q->file.lock = -1;
    *own = q;
    return CHY_S_OK;
}

void quota_close(void *own)
{
    struct quota *q = own;
    quota_file_close(&q->file);
    quota_table_free(&q->table);
    pthread_cond_destroy(&q->synced);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static const char *change_folder(struct quota *q, const char *folder, int64_t keep_us)
{
    struct quota_file file;
    struct quota_table *t = calloc(1, sizeof *t);
    if (!t) return "needs more memory than there is";
    const char *rule = quota_file_open(folder, &file, t, now_us() - keep_us);
    if (rule) {
        quota_table_free(t);
        free(t);
        return rule;
    }
    while (q->syncing)
        pthread_cond_wait(&q->synced, &q->lock);
    if (q->file.fd >= 0) (void)fdatasync(q->file.fd);
    quota_file_close(&q->file);
    quota_table_free(&q->table);
    q->file = file;
    q->table = *t;
    q->safe = q->written;
    free(t);
    return NULL;
}

const char *quota_use(struct quota *q, const char *folder, int64_t keep_us)
{
    const char *rule = NULL;
    pthread_mutex_lock(&q->lock);
    if (!q->file.folder || strcmp(q->file.folder, folder) != 0)
        rule = change_folder(q, folder, keep_us);
    if (!rule) q->keep_us = keep_us;
    pthread_mutex_unlock(&q->lock);
    return rule;
}

static void key_of(const struct quota_ask *ask, uint8_t out[QUOTA_KEY])
{
    const char *const parts[] = {ask->scope, ask->requester};
    struct kit_sha256 s;
    uint8_t digest[KIT_SHA256];
    kit_sha256_start(&s);
    for (size_t i = 0; i < 2; i++) {
        for (const char *p = parts[i]; *p; p++) {
            char c = chy_text_lower(*p);
            kit_sha256_add(&s, &c, 1);
        }
        kit_sha256_add(&s, "", 1);
    }
    kit_sha256_done(&s, digest);
    memcpy(out, digest, QUOTA_KEY);
}

enum room { FULL, FREE, COUNTED };

static enum room room_for(struct quota *q, struct quota_bucket *b, const struct quota_ask *ask,
                          chy_time now)
{
    int64_t n = 0;
    if (!b) return ask->count > 0 ? FREE : FULL;
    quota_prune(&q->table, b, now - q->keep_us);
    for (size_t i = b->n; i-- > 0;) {
        if (b->v[i].id == ask->id) return COUNTED;
        n += b->v[i].when > now - ask->period_us;
    }
    return n < ask->count ? FREE : FULL;
}

/* The file is written anew when most of it counts for nothing, the table swept when it is full. */
static chy_hresult make_room(struct quota *q, chy_time now)
{
    bool much = q->file.records > 2 * q->table.n + SLACK;
    if (!much && q->table.n < QUOTA_RECORDS_MAX) return CHY_S_OK;
    quota_sweep(&q->table, now - q->keep_us);
    if (q->table.n >= QUOTA_RECORDS_MAX) return CHY_ERROR_BUSY;
    while (q->syncing)
        pthread_cond_wait(&q->synced, &q->lock);
    chy_hresult hr = quota_file_compact(&q->file, &q->table);
    if (!CHY_FAILED(hr)) q->safe = q->written;
    pthread_cond_broadcast(&q->synced);
    return hr;
}

/* Whoever comes first syncs for all that wrote until then; the others wait for that. */
static chy_hresult wait_safe(struct quota *q, uint64_t mine)
{
    chy_hresult hr = CHY_S_OK;
    while (q->safe < mine && !CHY_FAILED(hr)) {
        if (q->syncing) {
            pthread_cond_wait(&q->synced, &q->lock);
            continue;
        }
        uint64_t all = q->written;
        int fd = q->file.fd;
        q->syncing = true;
        pthread_mutex_unlock(&q->lock);
        bool ok = fdatasync(fd) == 0;
        pthread_mutex_lock(&q->lock);
        q->syncing = false;
        if (ok && q->safe < all) q->safe = all;
        if (!ok) hr = CHY_ERROR_IO_DEVICE;
        pthread_cond_broadcast(&q->synced);
    }
    return hr;
}

static chy_hresult count(struct quota *q, const struct quota_ask *ask, const uint8_t key[QUOTA_KEY],
                         chy_time now)
{
    const struct quota_entry e = {now, ask->id};
    chy_hresult hr = quota_file_add(&q->file, key, e);
    if (CHY_FAILED(hr)) return hr;
    uint64_t mine = ++q->written;
    if (!quota_insert(&q->table, key, e)) return CHY_E_OUTOFMEMORY;
    return wait_safe(q, mine);
}

static chy_hresult ask_for(struct quota *q, const struct quota_ask *ask, bool take)
{
    uint8_t key[QUOTA_KEY];
    key_of(ask, key);
    take = take && ask->id > 0; /* one that is only tried has no id */
    pthread_mutex_lock(&q->lock);
    chy_time now = now_us();
    chy_hresult hr = take ? make_room(q, now) : CHY_S_OK;
    enum room room = room_for(q, quota_find(&q->table, key), ask, now);
    if (!CHY_FAILED(hr) && room == FULL) hr = CHY_S_FALSE;
    /* One that was counted before is answered when that is on disk, too. */
    if (take && hr == CHY_S_OK)
        hr = room == FREE ? count(q, ask, key, now) : wait_safe(q, q->written);
    pthread_mutex_unlock(&q->lock);
    return hr;
}

chy_hresult quota_take(struct quota *q, const struct quota_ask *ask)
{
    return ask_for(q, ask, true);
}

chy_hresult quota_look(struct quota *q, const struct quota_ask *ask)
{
    return ask_for(q, ask, false);
}
