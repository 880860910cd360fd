/* What every engine shares: writing with a wait, and closing. */
#include "store/store.h"

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done;
};

static void wake_waiter(struct chy_write *w, void *arg)
{
    struct waiter *waiter = arg;
    (void)w;
    pthread_mutex_lock(&waiter->lock);
    waiter->is_done = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

chy_hresult chy_store_write_wait(struct chy_store *s, struct chy_write *w, struct chy_err *err)
{
    struct waiter waiter = {.is_done = false};
    void (*done)(struct chy_write *, void *) = w->done;
    void *arg = w->arg;

    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.wake, NULL);
    w->done = wake_waiter;
    w->arg = &waiter;
    chy_store_write(s, w);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.wake, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.lock);
    w->done = done;
    w->arg = arg;
    if (w->result == CHY_S_OK) return CHY_S_OK;
    return chy_fail(err, w->result, "%s", w->err.text);
}

void chy_store_close(struct chy_store *s)
{
    if (s) s->ops->close(s);
}
