/* Threads with names, so that a process listing shows which of them works. */
#include "base/sys.h"

#include <time.h>
#include <unistd.h>

/* A new thread has the name of its maker. To name it afterwards is to write to a file below /proc.
 */
bool chy_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    char own[16];
    bool named = pthread_getname_np(pthread_self(), own, sizeof(own)) == 0 &&
                 pthread_setname_np(pthread_self(), name) == 0;
    bool started = pthread_create(thread, NULL, fn, arg) == 0;
    if (named) (void)pthread_setname_np(pthread_self(), own);
    return started;
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
