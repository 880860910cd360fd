#include "exec/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { READ_STEP = 16384, KEEP_MAX = 65536 };

int64_t wire_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A pipe without a reader raises a signal that would end the process: it is held back and taken,
 * unless it was there before. */
static ssize_t write_quietly(int fd, const char *p, size_t n)
{
    const struct timespec at_once = {0, 0};
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t done = write(fd, p, n);
    int error = errno;
    if (done < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return done;
}

/* Until fd is ready or the program has ended: true. False: the time is over. */
static bool wait_for(const struct wire *w, int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd p[] = {{fd, events, 0}, {w->pidfd, POLLIN, 0}};
        int64_t left = deadline - wire_now();
        if (left <= 0) return false;
        int n = poll(p, 2, left > INT_MAX ? INT_MAX : (int)left);
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return false;
    }
}

static bool ended(const struct wire *w)
{
    struct pollfd p = {w->pidfd, POLLIN, 0};
    return poll(&p, 1, 0) > 0;
}

chy_hresult wire_write(struct wire *w, const char *p, size_t n, int64_t deadline, const char **why)
{
    *why = "the line for the program is longer than 1 MiB";
    if (n > WIRE_LINE_MAX) return CHY_CERTSRV_E_ENCODING_LENGTH;
    while (n) {
        ssize_t done = write_quietly(w->in, p, n);
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (done < 0 && errno == EINTR) {
            continue;
        } else if (done < 0 && errno != EAGAIN) {
            *why = "the program ended without an answer";
            return CHY_E_FAIL;
        } else if (!wait_for(w, w->in, POLLOUT, deadline)) {
            *why = "the program did not read its line in time";
            return CHY_ERROR_TIMEOUT;
        } else if (ended(w)) {
            *why = "the program ended without an answer";
            return CHY_E_FAIL;
        }
    }
    return CHY_S_OK;
}

static bool room(struct wire *w)
{
    if (w->used) {
        memmove(w->p, w->p + w->used, w->n - w->used);
        w->n -= w->used;
        w->used = 0;
    }
    if (w->cap - w->n >= READ_STEP) return true;
    size_t cap = w->cap * 2 + READ_STEP;
    char *p = realloc(w->p, cap);
    if (!p) return false;
    w->p = p;
    w->cap = cap;
    return true;
}

/* S_FALSE: nothing there yet. */
static chy_hresult read_more(struct wire *w, const char **why)
{
    *why = "out of memory";
    if (!room(w)) return CHY_E_OUTOFMEMORY;
    ssize_t n = read(w->out, w->p + w->n, w->cap - w->n);
    if (n > 0) {
        w->n += (size_t)n;
        return CHY_S_OK;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return CHY_S_FALSE;
    *why = "the program ended without an answer";
    return CHY_E_FAIL;
}

static chy_hresult take(struct wire *w, size_t n, cJSON **out, const char **why)
{
    *why = wire_parse(w->p + w->used, n, out);
    w->used += n + 1;
    return *why ? CHY_ERROR_INVALID_DATA : CHY_S_OK;
}

chy_hresult wire_read(struct wire *w, int64_t deadline, cJSON **out, const char **why)
{
    size_t seen = 0;
    *out = NULL;
    /* One that never stops talking of calls that are over is never waited for. */
    *why = "the program did not answer in time";
    if (wire_now() >= deadline) return CHY_ERROR_TIMEOUT;
    for (;;) {
        const char *line = w->p ? w->p + w->used : NULL;
        size_t n = w->n - w->used;
        const char *end = n > seen ? memchr(line + seen, '\n', n - seen) : NULL;
        if (end && end - line <= WIRE_LINE_MAX) return take(w, (size_t)(end - line), out, why);
        *why = "is longer than 1 MiB";
        if (n > WIRE_LINE_MAX) return CHY_ERROR_INVALID_DATA;
        seen = n;
        chy_hresult hr = read_more(w, why);
        if (CHY_FAILED(hr)) return hr;
        if (hr == CHY_S_OK) continue;
        *why = "the program did not answer in time";
        if (!wait_for(w, w->out, POLLIN, deadline)) return CHY_ERROR_TIMEOUT;
        if (!ended(w)) continue;
        hr = read_more(w, why);
        *why = "the program ended without an answer";
        if (hr != CHY_S_OK) return CHY_E_FAIL;
    }
}

void wire_trim(struct wire *w)
{
    if (w->cap > KEEP_MAX && w->used == w->n) wire_free(w);
}

void wire_free(struct wire *w)
{
    free(w->p);
    w->p = NULL;
    w->n = w->used = w->cap = 0;
}
