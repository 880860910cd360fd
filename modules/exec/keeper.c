#include "exec/keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "exec/said.h"

enum { BACK_OFF_FIRST = 100, BACK_OFF_MAX = 30000, GRACE = 1000 };

struct keeper {
    const chy_host *host;
    const char *module;
    const struct exec_settings *settings;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int wake;
    bool stopping;
    int64_t stop_at; /* when what still runs is killed */
    struct said said;
    size_t n;
    struct program program[];
};

static void wake(struct keeper *k)
{
    const uint64_t one = 1;
    ssize_t done = write(k->wake, &one, sizeof one);
    (void)done; /* a full counter wakes too */
}

static void say(const struct keeper *k, chy_long severity, const char *what, int number)
{
    char text[500];
    snprintf(text, sizeof text, "%s: %.200s: %.200s%s%s", k->module, k->settings->plan.argv[0],
             what, number ? ": " : "", number ? strerror(number) : "");
    k->host->vt->log(k->host->self, severity, text);
}

/* The first failure costs no time: a program may end whenever it wants to be started afresh. */
static void count_failure(struct program *p)
{
    int64_t wait = 0;
    if (p->failures > 0) wait = BACK_OFF_FIRST << (p->failures < 10 ? p->failures - 1 : 9);
    p->failures++;
    p->not_before = wire_now() + (wait > BACK_OFF_MAX ? BACK_OFF_MAX : wait);
}

static void start_program(struct keeper *k, struct program *p)
{
    const char *what;
    p->wanted = false;
    int error = spawn(&k->settings->plan, &p->at, &what);
    if (error) {
        say(k, CHY_LOG_ERROR, what, error);
        count_failure(p);
    } else {
        p->runs = true;
        p->of_no_use = p->greeted = false;
        p->n_said = 0;
        p->wire.in = p->at.in;
        p->wire.out = p->at.out;
        p->wire.pidfd = p->at.pidfd;
    }
    pthread_cond_broadcast(&k->changed);
}

static void end_program(struct keeper *k, struct program *p)
{
    said_read(&k->said, p);
    said_end(&k->said, p);
    (void)spawn_reap(&p->at);
    wire_free(&p->wire);
    p->runs = false;
    if (!k->stopping) count_failure(p);
    pthread_cond_broadcast(&k->changed);
}

/* What the keeper waits for: a call's wish, words on standard error, ends of idle programs. */
static size_t watch(struct keeper *k, struct pollfd *fd, int *timeout)
{
    size_t n = 0;
    fd[n++] = (struct pollfd){k->wake, POLLIN, 0};
    for (size_t i = 0; i < k->n; i++) {
        struct program *p = &k->program[i];
        fd[n++] = (struct pollfd){p->runs ? p->at.err : -1, POLLIN, 0};
        fd[n++] = (struct pollfd){p->runs && !p->busy ? p->at.pidfd : -1, POLLIN, 0};
    }
    int64_t left = k->stop_at - wire_now();
    *timeout = !k->stopping ? -1 : left > 0 ? (int)left : 0;
    return n;
}

static void look_at(struct keeper *k, struct program *p, const struct pollfd *fd)
{
    if (p->wanted && !p->runs) start_program(k, p);
    if (!p->runs) return;
    if (fd[0].fd >= 0 && fd[0].revents && !said_read(&k->said, p)) {
        close(p->at.err);
        p->at.err = -1;
    }
    if (p->busy) return;
    bool over = k->stopping && wire_now() >= k->stop_at;
    if (p->of_no_use || over || (fd[1].fd >= 0 && fd[1].revents)) end_program(k, p);
}

static bool any_runs(const struct keeper *k)
{
    for (size_t i = 0; i < k->n; i++) {
        if (k->program[i].runs) return true;
    }
    return false;
}

static void *keep(void *arg)
{
    struct keeper *k = arg;
    struct pollfd fd[1 + 2 * EXEC_PROGRAMS_MAX];
    uint64_t count;
    int timeout;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping || any_runs(k)) {
        size_t n = watch(k, fd, &timeout);
        pthread_mutex_unlock(&k->lock);
        (void)poll(fd, n, timeout);
        pthread_mutex_lock(&k->lock);
        if (fd[0].revents && read(k->wake, &count, sizeof count) < 0) continue;
        for (size_t i = 0; i < k->n; i++)
            look_at(k, &k->program[i], fd + 1 + 2 * i);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* Signals are the daemon's affair: this thread takes none. */
static int start_thread(struct keeper *k)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&k->thread, NULL, keep, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void keeper_free(struct keeper *k)
{
    if (k->wake >= 0) close(k->wake);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
    free(k);
}

chy_hresult keeper_start(const chy_host *host, const char *module,
                         const struct exec_settings *settings, struct keeper **out)
{
    size_t n = (size_t)settings->concurrency;
    struct keeper *k = calloc(1, sizeof *k + n * sizeof k->program[0]);
    pthread_condattr_t monotonic;
    if (!k) return CHY_E_OUTOFMEMORY;
    k->host = host;
    k->module = module;
    k->settings = settings;
    k->n = n;
    k->said = (struct said){.host = host, .module = module};
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    k->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (k->wake < 0 || start_thread(k) != 0) {
        keeper_free(k);
        return CHY_E_OUTOFMEMORY;
    }
    *out = k;
    return CHY_S_OK;
}

void keeper_stop(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    k->stop_at = wire_now() + GRACE;
    for (size_t i = 0; i < k->n; i++) {
        struct program *p = &k->program[i];
        if (p->runs && p->at.in >= 0) close(p->at.in);
        p->at.in = -1;
    }
    wake(k);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    keeper_free(k);
}

/* One that runs and is free; else one that may be started; else NULL. */
static struct program *choose(struct keeper *k, bool *all_busy)
{
    struct program *found = NULL;
    int64_t now = wire_now();
    *all_busy = true;
    for (size_t i = 0; i < k->n; i++) {
        struct program *p = &k->program[i];
        if (p->busy) continue;
        if (p->runs && !p->of_no_use) return p;
        if (p->runs || p->wanted) continue; /* on its way out, or in */
        *all_busy = false;
        if (!found && now >= p->not_before) found = p;
    }
    return found;
}

static bool wait_change(struct keeper *k, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};
    return pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0;
}

/* Starting it takes the keeper, so that it outlives the thread of this call. */
static bool wait_started(struct keeper *k, struct program *p, int64_t deadline)
{
    p->wanted = true;
    wake(k);
    while (p->wanted && wait_change(k, deadline))
        ;
    p->wanted = false;
    return p->runs;
}

chy_hresult keeper_take(struct keeper *k, int64_t deadline, struct program **out, const char **why)
{
    struct program *p;
    bool all_busy;
    chy_hresult hr = CHY_S_OK;
    pthread_mutex_lock(&k->lock);
    while (!(p = choose(k, &all_busy)) && all_busy && hr == CHY_S_OK) {
        *why = "every program is busy: raise Concurrency";
        if (!wait_change(k, deadline)) hr = CHY_ERROR_TIMEOUT;
    }
    if (p) {
        hr = CHY_S_OK;
        p->busy = true;
        if (!p->runs && !wait_started(k, p, deadline)) {
            *why = "the program cannot be started";
            hr = CHY_ERROR_SERVICE_NOT_ACTIVE;
            p->busy = false;
            pthread_cond_broadcast(&k->changed);
        }
    } else if (hr == CHY_S_OK) {
        *why = "the program ended again and again: it is started anew in a while";
        hr = CHY_ERROR_SERVICE_NOT_ACTIVE;
    }
    pthread_mutex_unlock(&k->lock);
    *out = p;
    return hr;
}

void keeper_give(struct keeper *k, struct program *p, bool good)
{
    wire_trim(&p->wire);
    pthread_mutex_lock(&k->lock);
    p->busy = false;
    if (good) p->failures = 0;
    /* Its number is its own until the keeper takes its end. */
    if (!good && p->runs) {
        (void)kill(-p->at.pid, SIGKILL);
        p->of_no_use = true;
    }
    wake(k);
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}
