/* The worker pool: one queue, n threads, contexts kept per thread. */
#include "ca/worker.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* A thread inside a module that never returns keeps nobody from stopping: it is left behind. */
enum { MAX_SIGNERS = 16, MAX_THREADS = 256, STUCK_SECONDS = 2 };

struct chy_worker {
    struct chy_workers *pool;
    pthread_t thread;
    struct chy_verifier *verifier;
    struct {
        struct chy_key *key;
        const struct chy_sig_alg *alg;
        struct chy_signer *signer;
    } signer[MAX_SIGNERS];
    size_t n_signers;
    atomic_bool retired;
    atomic_bool busy; /* its present job is in the pool's count */
};

struct chy_workers {
    struct chy_queue queue;
    pthread_mutex_t lock; /* the list of threads */
    struct chy_worker *worker[MAX_THREADS];
    size_t n;
    atomic_size_t jobs; /* queued or running, but for those of retired threads */
};

static void job_ends(struct chy_worker *w)
{
    if (atomic_exchange(&w->busy, false)) atomic_fetch_sub(&w->pool->jobs, 1);
}

static void worker_fini(struct chy_worker *w)
{
    for (size_t i = 0; i < w->n_signers; i++) {
        chy_signer_free(w->signer[i].signer);
        chy_key_free(w->signer[i].key);
    }
    chy_verifier_free(w->verifier);
    w->n_signers = 0;
    w->verifier = NULL;
}

static void *worker_main(void *arg)
{
    struct chy_worker *w = arg;
    struct chy_node *node;
    while (!w->retired && (node = chy_queue_pop(&w->pool->queue)) != NULL) {
        struct chy_job *job = (struct chy_job *)(void *)node;
        atomic_store(&w->busy, true);
        job->run(job, w);
        job_ends(w);
    }
    worker_fini(w);
    return NULL;
}

static chy_hresult start_worker(struct chy_workers *pool, struct chy_err *err)
{
    chy_hresult hr = CHY_E_FAIL;
    pthread_mutex_lock(&pool->lock);
    struct chy_worker *w = chy_calloc(1, sizeof(*w));
    if (!w || pool->n == MAX_THREADS) {
        hr = chy_fail(err, CHY_E_OUTOFMEMORY, "worker thread: no room for another");
        goto out;
    }
    w->pool = pool;
    w->verifier = chy_verifier_new(err);
    if (!w->verifier) {
        hr = chy_fail(err, CHY_E_FAIL, "worker thread: no verifier");
        goto out;
    }
    if (!chy_thread_start(&w->thread, "worker", worker_main, w)) {
        hr = chy_fail(err, CHY_E_OUTOFMEMORY, "worker thread: the system refuses another thread");
        goto out;
    }
    pool->worker[pool->n++] = w;
    w = NULL;
    hr = CHY_S_OK;
out:
    if (w) {
        chy_verifier_free(w->verifier);
        chy_free(w);
    }
    pthread_mutex_unlock(&pool->lock);
    return hr;
}

chy_hresult chy_workers_new(unsigned n, struct chy_workers **out, struct chy_err *err)
{
    struct chy_workers *pool = chy_calloc(1, sizeof(*pool));
    if (!pool) return chy_fail_nomem(err, "worker pool");
    pthread_mutex_init(&pool->lock, NULL);
    chy_queue_init(&pool->queue);
    for (unsigned i = 0; i < n; i++) {
        chy_hresult hr = start_worker(pool, err);
        if (hr != CHY_S_OK) {
            chy_workers_free(pool);
            return hr;
        }
    }
    *out = pool;
    return CHY_S_OK;
}

void chy_workers_free(struct chy_workers *pool)
{
    if (!pool) return;
    bool all = true;
    struct timespec until;
    chy_queue_close(&pool->queue);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STUCK_SECONDS;
    for (size_t i = 0; i < pool->n; i++) {
        if (pool->worker[i]->retired) continue;
        if (chy_thread_join_until(pool->worker[i]->thread, &until)) {
            chy_free(pool->worker[i]);
        } else {
            all = false;
        }
    }
    if (!all) return; /* they hold the pool */
    chy_queue_fini(&pool->queue);
    pthread_mutex_destroy(&pool->lock);
    chy_free(pool);
}

bool chy_workers_add(struct chy_workers *pool, struct chy_job *job)
{
    if (chy_queue_len(&pool->queue) >= CHY_WORKERS_QUEUE_MAX) return false;
    atomic_fetch_add(&pool->jobs, 1);
    if (chy_queue_push(&pool->queue, &job->node)) return true;
    atomic_fetch_sub(&pool->jobs, 1);
    return false;
}

void chy_workers_continue(struct chy_workers *pool, struct chy_job *job)
{
    atomic_fetch_add(&pool->jobs, 1);
    if (!chy_queue_push_urgent(&pool->queue, &job->node)) atomic_fetch_sub(&pool->jobs, 1);
}

void chy_workers_quiet(struct chy_workers *pool, unsigned seconds)
{
    for (unsigned ms = 0; atomic_load(&pool->jobs) && ms < seconds * 1000; ms++)
        usleep(1000);
}

size_t chy_workers_others(struct chy_workers *pool)
{
    size_t jobs = atomic_load(&pool->jobs);
    return jobs ? jobs - 1 : 0;
}

size_t chy_workers_queued(struct chy_workers *pool)
{
    return chy_queue_len(&pool->queue);
}

void chy_workers_replace(struct chy_workers *pool)
{
    struct chy_err err = {0};
    if (start_worker(pool, &err) != CHY_S_OK) {
        chy_log(CHY_LOG_LEVEL_ERROR, "worker.lost", "error", err.text, NULL);
    }
}

struct call {
    struct chy_job job;
    void (*fn)(void *arg);
    void *arg;
};

static void run_call(struct chy_job *job, struct chy_worker *w)
{
    (void)w;
    struct call *c = (struct call *)(void *)job;
    c->fn(c->arg);
    chy_free(c);
}

bool chy_workers_run(struct chy_workers *pool, void (*fn)(void *arg), void *arg)
{
    struct call *c = chy_malloc(sizeof(*c));
    if (!c) return false;
    *c = (struct call){.job.run = run_call, .fn = fn, .arg = arg};
    if (chy_workers_add(pool, &c->job)) return true;
    chy_free(c);
    return false;
}

struct chy_verifier *chy_worker_verifier(struct chy_worker *w)
{
    return w->verifier;
}

chy_hresult chy_worker_signer(struct chy_worker *w, struct chy_key *key,
                              const struct chy_sig_alg *alg, struct chy_signer **out,
                              struct chy_err *err)
{
    for (size_t i = 0; i < w->n_signers; i++) {
        if (w->signer[i].key == key && w->signer[i].alg == alg) {
            *out = w->signer[i].signer;
            return CHY_S_OK;
        }
    }
    if (w->n_signers == MAX_SIGNERS) { /* more CAs than slots: the oldest gives way */
        chy_signer_free(w->signer[0].signer);
        chy_key_free(w->signer[0].key);
        w->signer[0] = w->signer[--w->n_signers];
    }
    struct chy_signer *s = NULL;
    chy_hresult hr = chy_signer_new(key, alg, &s, err);
    if (hr != CHY_S_OK) return hr;
    w->signer[w->n_signers].key = chy_key_ref(key);
    w->signer[w->n_signers].alg = alg;
    w->signer[w->n_signers++].signer = s;
    *out = s;
    return CHY_S_OK;
}

void chy_worker_drop_signer(struct chy_worker *w, struct chy_signer *signer)
{
    for (size_t i = 0; i < w->n_signers; i++) {
        if (w->signer[i].signer != signer) continue;
        chy_signer_free(signer);
        chy_key_free(w->signer[i].key);
        w->signer[i] = w->signer[--w->n_signers];
        return;
    }
}

void chy_worker_retire(struct chy_worker *w)
{
    w->retired = true;
    job_ends(w);
}
