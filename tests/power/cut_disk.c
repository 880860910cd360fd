/* The octets: what is there, what of it would survive, and the choice when the power goes. */
#include "cut_disk.h"

#include <stdlib.h>
#include <string.h>

uint64_t cut_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* A test without memory has no result. */
static void *need(void *p)
{
    if (!p) abort();
    return p;
}

static void bytes_resize(struct cut_bytes *b, size_t n)
{
    if (n > b->cap) {
        b->cap = n + n / 2 + 4096;
        b->p = need(realloc(b->p, b->cap));
    }
    if (n > b->n) memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

static void bytes_put(struct cut_bytes *b, const void *p, size_t n, size_t at)
{
    if (at + n > b->n) bytes_resize(b, at + n);
    if (n) memcpy(b->p + at, p, n);
}

static void bytes_copy(struct cut_bytes *to, const struct cut_bytes *from)
{
    bytes_resize(to, 0);
    bytes_put(to, from->p, from->n, 0);
}

struct cut_inode *cut_inode_new(void)
{
    struct cut_inode *i = need(calloc(1, sizeof(*i)));
    i->last = &i->first;
    return i;
}

static void drop_first(struct cut_inode *i)
{
    struct cut_op *op = i->first;
    i->first = op->next;
    if (!i->first) i->last = &i->first;
    free(op);
}

void cut_inode_unref(struct cut_inode *i)
{
    if (!i || --i->refs) return;
    while (i->first)
        drop_first(i);
    for (size_t k = 0; k < CUT_SHM_REGIONS; k++)
        free(i->shm[k]);
    free(i->now.p);
    free(i->base.p);
    free(i);
}

static void set_inode(struct cut_inode **slot, struct cut_inode *i)
{
    if (i) i->refs++;
    cut_inode_unref(*slot);
    *slot = i;
}

static void add_op(struct cut_inode *i, bool is_truncate, const void *p, size_t n, size_t at)
{
    struct cut_op *op = need(malloc(sizeof(*op) + (p ? n : 0)));
    *op = (struct cut_op){.is_truncate = is_truncate, .at = at, .n = n};
    if (p) memcpy(op->data, p, n);
    *i->last = op;
    i->last = &op->next;
}

void cut_inode_write(struct cut_inode *i, const void *p, size_t n, size_t at)
{
    bytes_put(&i->now, p, n, at);
    add_op(i, false, p, n, at);
}

void cut_inode_truncate(struct cut_inode *i, size_t n)
{
    bytes_resize(&i->now, n);
    add_op(i, true, NULL, n, 0);
}

static void apply(struct cut_bytes *b, const struct cut_op *op)
{
    if (op->is_truncate)
        bytes_resize(b, op->n);
    else
        bytes_put(b, op->data, op->n, op->at);
}

/* What is durable joins the base, up to the first operation that is in doubt. */
void cut_inode_sync(struct cut_inode *i, bool fails)
{
    for (struct cut_op *op = i->first; op; op = op->next) {
        if (op->state == CUT_PENDING) op->state = fails ? CUT_DOUBTFUL : CUT_DURABLE;
    }
    while (i->first && i->first->state == CUT_DURABLE) {
        apply(&i->base, i->first);
        drop_first(i);
    }
}

void cut_folder_sync(struct cut_disk *d)
{
    for (struct cut_name *n = d->names; n; n = n->next)
        set_inode(&n->durable, n->now);
}

struct cut_name *cut_name_get(struct cut_disk *d, const char *path)
{
    struct cut_name *n = d->names;
    while (n && strcmp(n->path, path) != 0)
        n = n->next;
    if (n) return n;
    size_t size = strlen(path) + 1;
    n = need(calloc(1, sizeof(*n) + size));
    memcpy(n->path, path, size);
    n->next = d->names;
    d->names = n;
    return n;
}

/* ---- a loss of power ---- */

enum survival { NOTHING, EVERYTHING, PREFIX, SUBSET, SECTORS, SURVIVALS };

static size_t sector_from(const struct cut_op *op, size_t done)
{
    size_t n = CUT_SECTOR - (op->at + done) % CUT_SECTOR;
    return n < op->n - done ? n : op->n - done;
}

static void apply_sectors(struct cut_bytes *b, const struct cut_op *op, uint64_t *random)
{
    for (size_t n, done = 0; done < op->n; done += n) {
        n = sector_from(op, done);
        if (cut_random(random) & 1) bytes_put(b, op->data + done, n, op->at + done);
    }
}

/* Its first sectors: a write was under way. */
static void apply_begin(struct cut_bytes *b, const struct cut_op *op, uint64_t *random)
{
    size_t end = (size_t)(cut_random(random) % (op->n + 1));
    for (size_t n, done = 0; done < end; done += n) {
        n = sector_from(op, done);
        bytes_put(b, op->data + done, n, op->at + done);
    }
}

static void survive(struct cut_inode *i, uint64_t *random)
{
    enum survival how = (enum survival)(cut_random(random) % SURVIVALS);
    size_t n = 0;
    for (const struct cut_op *op = i->first; op; op = op->next)
        n++;
    size_t prefix = (size_t)(cut_random(random) % (n + 1));
    for (size_t k = 0; i->first; k++) {
        const struct cut_op *op = i->first;
        bool coin = cut_random(random) & 1;
        if (op->state == CUT_DURABLE)
            apply(&i->base, op);
        else if (how == SECTORS && !op->is_truncate)
            apply_sectors(&i->base, op, random);
        else if (how == PREFIX && k == prefix && !op->is_truncate)
            apply_begin(&i->base, op, random);
        else if (how == EVERYTHING || (how == PREFIX && k < prefix) ||
                 ((how == SUBSET || how == SECTORS) && coin))
            apply(&i->base, op);
        drop_first(i);
    }
    bytes_copy(&i->now, &i->base);
}

void cut_disk_power_on(struct cut_disk *d, uint64_t seed)
{
    if (d->n_open) abort();
    for (struct cut_name *n = d->names; n; n = n->next) {
        struct cut_inode *stays = cut_random(&seed) & 1 ? n->now : n->durable;
        set_inode(&n->durable, stays);
        set_inode(&n->now, stays);
        if (stays) survive(stays, &seed);
    }
    d->off = false;
    d->armed = 0;
}

void cut_disk_arm(struct cut_disk *d, unsigned long n)
{
    pthread_mutex_lock(&d->lock);
    d->armed = n;
    pthread_mutex_unlock(&d->lock);
}

void cut_disk_power_off(struct cut_disk *d)
{
    pthread_mutex_lock(&d->lock);
    d->off = true;
    pthread_mutex_unlock(&d->lock);
}

bool cut_disk_is_off(struct cut_disk *d)
{
    pthread_mutex_lock(&d->lock);
    bool off = d->off;
    pthread_mutex_unlock(&d->lock);
    return off;
}

/* ---- faults ---- */

int cut_gate(struct cut_disk *d, enum cut_call call, int when_off)
{
    if (d->off) return when_off;
    if (call & (CUT_WRITE | CUT_TRUNCATE | CUT_SYNC | CUT_DELETE)) {
        d->writes++;
        if (d->armed && --d->armed == 0) d->off = true;
    }
    if (!(d->fault.calls & call)) return SQLITE_OK;
    d->seen++;
    if (d->seen != d->fault.at && !(d->fault.for_good && d->seen > d->fault.at)) return SQLITE_OK;
    d->hits++;
    return d->fault.code;
}

void cut_disk_fault(struct cut_disk *d, const struct cut_fault *f)
{
    pthread_mutex_lock(&d->lock);
    d->fault = f ? *f : (struct cut_fault){.calls = 0};
    d->seen = 0;
    if (f) d->hits = 0;
    pthread_mutex_unlock(&d->lock);
}

unsigned long cut_disk_hits(struct cut_disk *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned long hits = d->hits;
    pthread_mutex_unlock(&d->lock);
    return hits;
}

unsigned long cut_disk_writes(struct cut_disk *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned long writes = d->writes;
    pthread_mutex_unlock(&d->lock);
    return writes;
}

unsigned long cut_disk_size(struct cut_disk *d, const char *path)
{
    pthread_mutex_lock(&d->lock);
    const struct cut_name *name = cut_name_get(d, path);
    unsigned long size = name->now ? name->now->now.n : 0;
    pthread_mutex_unlock(&d->lock);
    return size;
}

/* ---- the whole disk ---- */

void cut_disk_save(struct cut_disk *d)
{
    if (d->n_open) abort();
    for (struct cut_name *n = d->names; n; n = n->next) {
        n->is_saved = n->now != NULL;
        if (n->is_saved) bytes_copy(&n->saved, &n->now->now);
    }
}

void cut_disk_restore(struct cut_disk *d)
{
    if (d->n_open) abort();
    for (struct cut_name *n = d->names; n; n = n->next) {
        struct cut_inode *i = n->is_saved ? cut_inode_new() : NULL;
        if (i) {
            bytes_copy(&i->now, &n->saved);
            bytes_copy(&i->base, &n->saved);
        }
        set_inode(&n->now, i);
        set_inode(&n->durable, i);
    }
    d->off = false;
    d->armed = 0;
}

struct cut_disk *cut_disk_new(void)
{
    struct cut_disk *d = need(calloc(1, sizeof(*d)));
    pthread_mutex_init(&d->lock, NULL);
    if (cut_vfs_register(d) != SQLITE_OK) abort();
    return d;
}

void cut_disk_free(struct cut_disk *d)
{
    if (d->n_open) abort();
    sqlite3_vfs_unregister(&d->vfs);
    for (struct cut_name *next, *n = d->names; n; n = next) {
        next = n->next;
        cut_inode_unref(n->now);
        cut_inode_unref(n->durable);
        free(n->saved.p);
        free(n);
    }
    pthread_mutex_destroy(&d->lock);
    free(d);
}
