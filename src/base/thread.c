/* Threads with names, so that a process listing shows which of them works. */
#include "base/sys.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

/* A new thread has the name of its maker. To name it afterwards is to write to a file below /proc.
 */
static bool start(pthread_t *thread, const pthread_attr_t *attr, const char *name,
                  void *(*fn)(void *arg), void *arg)
{
    char own[16];
    bool named = pthread_getname_np(pthread_self(), own, sizeof(own)) == 0 &&
                 pthread_setname_np(pthread_self(), name) == 0;
    bool started = pthread_create(thread, attr, fn, arg) == 0;
    if (named) (void)pthread_setname_np(pthread_self(), own);
    return started;
}

bool chy_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    return start(thread, NULL, name, fn, arg);
}

struct elsewhere {
    void *(*fn)(void *arg);
    void *arg;
    cpu_set_t processors; /* of its maker */
};

static void *run_elsewhere(void *arg)
{
    struct elsewhere e = *(struct elsewhere *)arg;
    chy_free(arg);
    (void)sched_setaffinity(0, sizeof(e.processors), &e.processors);
    return e.fn(e.arg);
}

/* For its first moment the thread may use every processor but this one. */
static bool start_elsewhere(pthread_t *thread, const char *name, struct elsewhere *e)
{
    cpu_set_t others = e->processors;
    pthread_attr_t attr;
    int here = sched_getcpu();
    if (here < 0 || pthread_attr_init(&attr) != 0) return false;
    CPU_CLR((size_t)here, &others);
    bool started = CPU_COUNT(&others) > 0 &&
                   pthread_attr_setaffinity_np(&attr, sizeof(others), &others) == 0 &&
                   start(thread, &attr, name, run_elsewhere, e);
    pthread_attr_destroy(&attr);
    return started;
}

bool chy_thread_start_beside(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    struct elsewhere *e = chy_malloc(sizeof(*e));
    if (e) {
        *e = (struct elsewhere){.fn = fn, .arg = arg};
        if (sched_getaffinity(0, sizeof(e->processors), &e->processors) == 0 &&
            start_elsewhere(thread, name, e))
            return true;
        chy_free(e);
    }
    return chy_thread_start(thread, name, fn, arg);
}

/* Linux keeps a nice value for each thread, and new ones have that of their maker: nice(2), "C
 * library/kernel differences". */
void chy_thread_give_way(void)
{
    enum { A_THIRD = 5 };    /* of the time that one which does not gets beside it */
    int now = nice(A_THIRD); /* not to be had: it goes on as it is */
    (void)now;
}

bool chy_thread_join_until(pthread_t thread, const struct timespec *until)
{
#ifdef __SANITIZE_THREAD__
    /* ThreadSanitizer does not know pthread_clockjoin_np: it would miss that the thread has ended.
     */
    struct timespec now, step = {0, 1000000};
    do {
        if (pthread_tryjoin_np(thread, NULL) == 0) return true;
        nanosleep(&step, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec <= until->tv_sec);
    return false;
#else
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, until) == 0;
#endif
}
