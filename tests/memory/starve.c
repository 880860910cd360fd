#include "starve.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What this stands in for: the sanitizer's allocator where there is one, else that of the C
 * library. Both let a program define these names and keep their own under another. */
void *__interceptor_malloc(size_t n) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));
void *__libc_malloc(size_t n) __attribute__((weak));
void *__libc_calloc(size_t n, size_t size) __attribute__((weak));
void *__libc_realloc(void *p, size_t n) __attribute__((weak));

__attribute__((visibility("default"))) void *malloc(size_t n);
__attribute__((visibility("default"))) void *calloc(size_t n, size_t size);
__attribute__((visibility("default"))) void *realloc(void *p, size_t n);

static atomic_ulong asked, refused;
static atomic_ulong from = ULONG_MAX, until = ULONG_MAX;
static atomic_bool only_mine;
static _Thread_local bool is_mine, is_starting;

static bool refuse(void)
{
    if (atomic_load(&from) == ULONG_MAX || is_starting || (atomic_load(&only_mine) && !is_mine))
        return false;
    unsigned long at = atomic_fetch_add(&asked, 1) + 1;
    if (at < atomic_load(&from) || at >= atomic_load(&until)) return false;
    atomic_fetch_add(&refused, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    if (refuse()) return NULL;
    return __interceptor_malloc ? __interceptor_malloc(n) : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (refuse()) return NULL;
    return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    if (refuse()) return NULL;
    return __interceptor_realloc ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
}

/* The sanitizer's thread asks where its stack is before it runs anything of ours, and does not
 * survive an answer without memory. */
typedef int (*getattr_fn)(pthread_t, pthread_attr_t *);
__attribute__((visibility("default"))) int pthread_getattr_np(pthread_t t, pthread_attr_t *a)
{
    static _Atomic(getattr_fn) next;
    getattr_fn real = atomic_load(&next);
    is_starting = true;
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "pthread_getattr_np");
        memcpy(&real, &found, sizeof(real));
        atomic_store(&next, real);
    }
    int result = real(t, a);
    is_starting = false;
    return result;
}

void starve(unsigned long first, unsigned long n)
{
    atomic_store(&asked, 0);
    atomic_store(&refused, 0);
    atomic_store(&until, n > ULONG_MAX - first ? ULONG_MAX : first + n);
    atomic_store(&from, first);
}

void starve_me(unsigned long first, unsigned long n)
{
    is_mine = true;
    atomic_store(&only_mine, true);
    starve(first, n);
}

unsigned long starve_end(void)
{
    atomic_store(&from, ULONG_MAX);
    atomic_store(&only_mine, false);
    is_mine = false;
    return atomic_load(&refused);
}
