/* Requests that wait for a signature, and the workers that take them. A worker stays for a few
 * requests and then lines up again behind what else the engine has to do. */
#include <unistd.h>

#include "base/text.h"
#include "ocsp/ocsp_int.h"

enum { ROUNDS = 4, DIGEST = 20 };

/* A share of what waits: the loop is woken once for all of it. */
static size_t take(struct chy_ocsp_queue *q, struct chy_ocsp_ask *out[])
{
    pthread_mutex_lock(&q->lock);
    size_t share = (q->n + q->n_drains - 1) / q->n_drains, n = 0;
    for (; n < share && n < CHY_OCSP_AT_ONCE; n++) {
        out[n] = q->first;
        q->first = q->first->next;
    }
    if (!q->first) q->last = &q->first;
    q->n -= n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

/* False: something came meanwhile. */
static bool rest(struct chy_ocsp_queue *q, struct chy_ocsp_drain *d)
{
    pthread_mutex_lock(&q->lock);
    bool idle = !q->first;
    if (idle) {
        d->next = q->idle;
        q->idle = d;
        q->n_idle++;
        if (q->n_idle == q->n_drains) pthread_cond_signal(&q->quiet);
    }
    pthread_mutex_unlock(&q->lock);
    return idle;
}

/* RFC 5019 6.2: a strong tag of the octets. */
static bool tag_of(struct chy_worker *w, struct chy_span der, char out[CHY_OCSP_ETAG_SIZE])
{
    uint8_t digest[DIGEST];
    if (chy_verifier_sha1(chy_worker_verifier(w), der, digest, NULL) != CHY_S_OK) return false;
    out[0] = '"';
    chy_hex_cstr(out + 1, CHY_SPAN(digest));
    out[1 + 2 * DIGEST] = '"';
    out[2 + 2 * DIGEST] = 0;
    return true;
}

/* What may be given again is kept, with a tag. */
static void keep(struct chy_ocsp *o, struct chy_ocsp_reply *r, struct chy_worker *w)
{
    const struct chy_ocsp_answer *a = &r->answer;
    r->kept = (struct chy_ocsp_kept){
        .answer = chy_buf_span(&a->der),
        .this_update = a->this_update,
        .next_update = a->next_update,
        .fresh_until = a->fresh_until,
        .nonce_max = a->nonce_max,
        .status = a->told[0],
    };
    r->is_kept = a->may_keep && tag_of(w, r->kept.answer, r->kept.etag);
    if (r->is_kept) chy_ocsp_cache_put(o->cache, r->request.id[0].der, &a->mark, &r->kept);
}

/* False: there is nothing to look up. */
static bool begin(struct chy_ocsp *o, struct chy_ocsp_reply *r, const struct chy_ocsp_ask *ask)
{
    r->x = ask->x; /* ask is the exchange's, and gone with its answer */
    r->is_kept = r->is_given = false;
    r->is_begun = chy_ocsp_request_parse(ask->request, &r->request, NULL) == CHY_S_OK;
    if (r->is_begun) {
        chy_ocsp_answer_begin(&r->answer, o, &r->request);
    } else {
        r->answer.status = CHY_OCSP_MALFORMED;
    }
    return r->is_begun;
}

static void finish(struct chy_ocsp *o, struct chy_ocsp_reply *r, struct chy_worker *w)
{
    if (!r->is_begun) return;
    /* The same was asked a moment before, and is answered by now. */
    r->is_given = chy_ocsp_http_cached(o, r->x, &r->request);
    if (!r->is_given) {
        chy_ocsp_answer_sign(&r->answer, w);
        if (r->answer.status == CHY_OCSP_SUCCESSFUL) keep(o, r, w);
    }
    chy_ocsp_answer_end(&r->answer);
}

static void give(struct chy_ocsp *o, const struct chy_ocsp_reply *r)
{
    const struct chy_ocsp_answer *a = &r->answer;
    if (r->is_given) return;
    if (a->status != CHY_OCSP_SUCCESSFUL) {
        chy_ocsp_http_error(o, r->x, a->status);
        return;
    }
    for (size_t i = 0; i < a->n; i++)
        atomic_fetch_add_explicit(&o->told[a->told[i]][CHY_OCSP_SIGNED], 1, memory_order_relaxed);
    if (r->is_kept && !r->request.has_nonce) {
        chy_ocsp_http_send(r->x, &r->kept, chy_now(o->clock));
    } else {
        chy_ocsp_http_send_once(r->x, chy_buf_span(&a->der));
    }
}

static void add_job(struct chy_ocsp *o, struct chy_ocsp_drain *d)
{
    /* Status is told even when there is no room for another certificate. */
    if (!chy_workers_add(o->workers, &d->job)) chy_workers_continue(o->workers, &d->job);
}

static void run(struct chy_job *job, struct chy_worker *w)
{
    struct chy_ocsp_drain *d = (struct chy_ocsp_drain *)(void *)job;
    struct chy_ocsp_ask *ask[CHY_OCSP_AT_ONCE];
    struct chy_ocsp_answer *begun[CHY_OCSP_AT_ONCE];
    struct chy_ocsp *o = d->o;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = take(&o->queue, ask), n_begun = 0;
        for (size_t i = 0; i < n; i++)
            if (begin(o, &d->reply[i], ask[i])) begun[n_begun++] = &d->reply[i].answer;
        chy_ocsp_answers_look_up(begun, n_begun);
        for (size_t i = 0; i < n; i++)
            finish(o, &d->reply[i], w);
        for (size_t i = 0; i < n; i++)
            give(o, &d->reply[i]);
        if (!n && rest(&o->queue, d)) return;
    }
    add_job(o, d);
}

bool chy_ocsp_queue_add(struct chy_ocsp *o, struct chy_ocsp_ask *ask)
{
    struct chy_ocsp_queue *q = &o->queue;
    struct chy_ocsp_drain *d = NULL;
    pthread_mutex_lock(&q->lock);
    bool room = !q->stopping && q->n < CHY_OCSP_WAITING_MAX;
    if (room) {
        ask->next = NULL;
        *q->last = ask;
        q->last = &ask->next;
        q->n++;
        d = q->idle;
    }
    if (d) {
        q->idle = d->next;
        q->n_idle--;
    }
    pthread_mutex_unlock(&q->lock);
    if (d) add_job(o, d);
    return room;
}

void chy_ocsp_queue_init(struct chy_ocsp *o)
{
    struct chy_ocsp_queue *q = &o->queue;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->quiet, NULL);
    q->last = &q->first;
    q->n_drains = n < 1 ? 1 : n > CHY_OCSP_DRAINS_MAX ? CHY_OCSP_DRAINS_MAX : (size_t)n;
    q->n_idle = q->n_drains;
    for (size_t i = 0; i < q->n_drains; i++) {
        struct chy_ocsp_drain *d = &q->drain[i];
        d->job.run = run;
        d->o = o;
        for (size_t k = 0; k < CHY_OCSP_AT_ONCE; k++)
            chy_ocsp_answer_init(&d->reply[k].answer);
        d->next = q->idle;
        q->idle = d;
    }
}

void chy_ocsp_queue_stop(struct chy_ocsp *o)
{
    struct chy_ocsp_queue *q = &o->queue;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    struct chy_ocsp_ask *ask = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->n = 0;
    while (q->n_idle < q->n_drains)
        pthread_cond_wait(&q->quiet, &q->lock);
    pthread_mutex_unlock(&q->lock);
    while (ask) {
        struct chy_ocsp_ask *next = ask->next;
        chy_ocsp_http_error(o, ask->x, CHY_OCSP_TRY_LATER);
        ask = next;
    }
}

void chy_ocsp_queue_fini(struct chy_ocsp *o)
{
    struct chy_ocsp_queue *q = &o->queue;
    for (size_t i = 0; i < q->n_drains; i++) {
        for (size_t k = 0; k < CHY_OCSP_AT_ONCE; k++)
            chy_ocsp_answer_fini(&q->drain[i].reply[k].answer);
    }
    pthread_cond_destroy(&q->quiet);
    pthread_mutex_destroy(&q->lock);
}
