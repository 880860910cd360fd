/* The one place that asks the system for memory. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* glibc raises its threshold to the largest block that it has seen freed: the first long CRL would
 * teach every thread's heap to keep blocks of its size. A threshold that is set stays. */
void chy_mem_for_years(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

void *chy_malloc(size_t n)
{
    return malloc(n ? n : 1);
}
void *chy_calloc(size_t n, size_t size)
{
    return calloc(n ? n : 1, size ? size : 1);
}
void *chy_realloc(void *p, size_t n)
{
    return realloc(p, n ? n : 1);
}
void chy_free(void *p)
{
    free(p);
}

char *chy_strndup(const char *s, size_t n)
{
    char *out = chy_malloc(n + 1);
    if (!out) return NULL;
    memcpy(out, s, n);
    out[n] = 0;
    return out;
}

char *chy_strdup(const char *s)
{
    return chy_strndup(s, strlen(s));
}
