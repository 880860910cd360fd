/* Threads with names, so that a process listing shows which of them works. */
#include "base/sys.h"

bool chy_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
    if (pthread_create(thread, NULL, fn, arg) != 0) return false;
    (void)pthread_setname_np(*thread, name);
    return true;
}
