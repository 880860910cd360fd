/* What every engine shares: a single question, writing with a wait, and closing. */
#include "store/store.h"

chy_hresult chy_store_standing(struct chy_store *s, struct chy_span serial,
                               struct chy_standing *out, struct chy_err *err)
{
    struct chy_look_up look = {.serial = serial};
    chy_hresult hr = s->ops->look_up(s, &look, 1, err);
    if (hr != CHY_S_OK) return hr;
    if (!look.found) return CHY_S_FALSE;
    *out = look.standing;
    return CHY_S_OK;
}

static void wake_waiter(struct chy_write *w, void *arg)
{
    struct chy_store_waiter *waiter = arg;
    (void)w;
    pthread_mutex_lock(&waiter->lock);
    waiter->is_done = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

void chy_store_write_begin(struct chy_store *s, struct chy_write *w,
                           struct chy_store_waiter *waiter)
{
    *waiter = (struct chy_store_waiter){.done = w->done, .arg = w->arg};
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->wake, NULL);
    w->done = wake_waiter;
    w->arg = waiter;
    chy_store_write(s, w);
}

chy_hresult chy_store_write_end(struct chy_write *w, struct chy_store_waiter *waiter,
                                struct chy_err *err)
{
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->is_done)
        pthread_cond_wait(&waiter->wake, &waiter->lock);
    pthread_mutex_unlock(&waiter->lock);
    pthread_cond_destroy(&waiter->wake);
    pthread_mutex_destroy(&waiter->lock);
    w->done = waiter->done;
    w->arg = waiter->arg;
    if (w->result == CHY_S_OK) return CHY_S_OK;
    return chy_fail(err, w->result, "%s", w->err.text);
}

chy_hresult chy_store_write_wait(struct chy_store *s, struct chy_write *w, struct chy_err *err)
{
    struct chy_store_waiter waiter;
    chy_store_write_begin(s, w, &waiter);
    return chy_store_write_end(w, &waiter, err);
}

void chy_store_close(struct chy_store *s)
{
    if (s) s->ops->close(s);
}
