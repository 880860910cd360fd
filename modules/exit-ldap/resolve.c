/* Names of servers. The system's resolver has times of its own, which may be longer than the call
 * has: it is asked on a thread that is left behind with the question when the time is over. */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "exit_ldap.h"

enum { HOST_MAX = 256 };

struct question {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool answered, left; /* left: nobody waits any more, and the thread clears up */
    int failed;
    struct addrinfo *all;
    char host[HOST_MAX], service[16];
};

static int ask(const struct question *q, int flags, struct addrinfo **all)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    return getaddrinfo(q->host, q->service, &hints, all);
}

static void question_free(struct question *q)
{
    if (q->all) freeaddrinfo(q->all);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void *run(void *arg)
{
    struct question *q = arg;
    struct addrinfo *all = NULL;
    int failed = ask(q, AI_ADDRCONFIG, &all);
    pthread_mutex_lock(&q->lock);
    q->answered = true;
    q->failed = failed;
    q->all = failed ? NULL : all;
    bool left = q->left;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
    if (left) question_free(q);
    return NULL;
}

/* The daemon's signals are the daemon's threads' to take. */
static bool start(struct question *q)
{
    sigset_t all, old;
    pthread_t thread;
    pthread_attr_t attr;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&thread, &attr, run, q) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return ok;
}

static struct question *question_new(const char *host, int port)
{
    pthread_condattr_t attr;
    struct question *q = strlen(host) < HOST_MAX ? calloc(1, sizeof *q) : NULL;
    if (!q) return NULL;
    snprintf(q->host, sizeof q->host, "%s", host);
    snprintf(q->service, sizeof q->service, "%d", port);
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

/* False: the question is the thread's now. */
static bool wait_answer(struct question *q, long long until)
{
    const struct timespec t = {(time_t)(until / 1000), (long)(until % 1000) * 1000000};
    int rc = 0;
    pthread_mutex_lock(&q->lock);
    while (!q->answered && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&q->changed, &q->lock, &t);
    bool answered = q->answered;
    q->left = !answered;
    pthread_mutex_unlock(&q->lock);
    return answered;
}

struct addrinfo *resolve(const char *host, int port, long long until)
{
    struct addrinfo *all = NULL;
    struct question *q = question_new(host, port);
    errno = EADDRNOTAVAIL;
    if (!q) return NULL;
    if (ask(q, AI_NUMERICHOST, &all) != 0) {
        if (start(q) && !wait_answer(q, until)) {
            errno = ETIMEDOUT;
            return NULL;
        }
        all = q->all;
        q->all = NULL;
    }
    question_free(q);
    if (!all) errno = EADDRNOTAVAIL;
    return all;
}
