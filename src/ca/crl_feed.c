/* Batches in a ring, and large ones: to wake a thread may cost as much as some hundred entries, on
 * a virtual machine a thousand. A short list fills none of them and has no second thread; nor has
 * one for which the system gives none. */
#include "ca/crl_feed.h"

#include <string.h>

#include "base/sys.h"

enum { ENTRIES = 8192, BATCHES = 4, SERIAL_MAX = 255, SERIALS = ENTRIES * 24 };

struct batch {
    size_t n, serials_n;
    struct chy_revoked entry[ENTRIES];
    uint8_t serials[SERIALS + SERIAL_MAX];
};

struct chy_crl_feed {
    chy_revoked_cb cb;
    void *arg;
    pthread_t thread;
    bool has_thread, is_alone; /* is_alone: there is to be no second thread */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t filled, done; /* batches handed over, and of them finished */
    bool has_ended, is_refused;
    struct batch batch[BATCHES];
};

chy_hresult chy_crl_feed_new(chy_revoked_cb cb, void *arg, struct chy_crl_feed **out,
                             struct chy_err *err)
{
    struct chy_crl_feed *f = chy_calloc(1, sizeof(*f));
    if (!f) return chy_fail_nomem(err, "CRL");
    f->cb = cb;
    f->arg = arg;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->moved, NULL);
    *out = f;
    return CHY_S_OK;
}

static bool pass_on(struct chy_crl_feed *f, struct batch *b)
{
    bool ok = true;
    for (size_t i = 0; i < b->n && ok; i++)
        ok = f->cb(&b->entry[i], f->arg);
    b->n = b->serials_n = 0;
    return ok;
}

/* NULL: there is no more, or no more is wanted. */
static struct batch *next(struct chy_crl_feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->done == f->filled && !f->has_ended)
        pthread_cond_wait(&f->moved, &f->lock);
    bool more = f->done < f->filled && !f->is_refused;
    pthread_mutex_unlock(&f->lock);
    return more ? &f->batch[f->done % BATCHES] : NULL;
}

static void *write_down(void *arg)
{
    struct chy_crl_feed *f = arg;
    struct batch *b;
    while ((b = next(f)) != NULL) {
        bool ok = pass_on(f, b);
        pthread_mutex_lock(&f->lock);
        f->done++;
        f->is_refused = !ok;
        pthread_cond_signal(&f->moved);
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

/* The full batch goes to the other thread, and the next one of the ring is free. */
static bool hand_over(struct chy_crl_feed *f)
{
    pthread_mutex_lock(&f->lock);
    f->filled++;
    pthread_cond_signal(&f->moved);
    while (f->filled - f->done == BATCHES && !f->is_refused)
        pthread_cond_wait(&f->moved, &f->lock);
    bool ok = !f->is_refused;
    pthread_mutex_unlock(&f->lock);
    return ok;
}

bool chy_crl_feed_add(const struct chy_revoked *r, void *feed)
{
    struct chy_crl_feed *f = feed;
    struct batch *b = &f->batch[f->filled % BATCHES];
    struct chy_revoked *e = &b->entry[b->n++];
    *e = *r;
    /* A longer one can only come from a damaged database: none at all is refused as well. */
    e->serial.n = r->serial.n > SERIAL_MAX ? 0 : r->serial.n;
    e->serial.p = b->serials + b->serials_n;
    if (e->serial.n) memcpy(b->serials + b->serials_n, r->serial.p, e->serial.n);
    b->serials_n += e->serial.n;
    if (b->n < ENTRIES && b->serials_n <= SERIALS) return true;
    if (!f->has_thread && !f->is_alone) {
        f->has_thread = chy_thread_start(&f->thread, "crl", write_down, f);
        f->is_alone = !f->has_thread;
    }
    return f->is_alone ? pass_on(f, b) : hand_over(f);
}

void chy_crl_feed_end(struct chy_crl_feed *f)
{
    if (f->has_thread) {
        pthread_mutex_lock(&f->lock);
        f->has_ended = true;
        f->filled++; /* the last batch, full or not */
        pthread_cond_signal(&f->moved);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    } else {
        (void)pass_on(f, &f->batch[0]);
    }
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->lock);
    chy_free(f);
}
