/* The bump allocator: blocks chained newest first; reset keeps the oldest. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

enum { FIRST_BLOCK = 16384, ALIGN = 16 };

struct chy_arena_block {
    struct chy_arena_block *older;
    size_t used, cap;
    _Alignas(ALIGN) uint8_t data[];
};

void chy_arena_init(struct chy_arena *a, size_t max)
{
    *a = (struct chy_arena){.max = max};
}

static void free_newer(struct chy_arena *a, bool keep_oldest)
{
    while (a->head && (a->head->older || !keep_oldest)) {
        struct chy_arena_block *b = a->head;
        a->head = b->older;
        a->total -= b->cap;
        chy_free(b);
    }
}

void chy_arena_free(struct chy_arena *a)
{
    free_newer(a, false);
}

void chy_arena_reset(struct chy_arena *a)
{
    free_newer(a, true);
    if (a->head) a->head->used = 0;
    a->failed = a->too_long = false;
}

static struct chy_arena_block *new_block(struct chy_arena *a, size_t n)
{
    size_t cap = n > FIRST_BLOCK ? n : FIRST_BLOCK;
    if (cap > a->max - a->total) cap = n;
    if (cap > a->max - a->total) {
        a->too_long = true;
        return NULL;
    }
    struct chy_arena_block *b = chy_malloc(sizeof(*b) + cap);
    if (!b) return NULL;
    *b = (struct chy_arena_block){.older = a->head, .cap = cap};
    a->head = b;
    a->total += cap;
    return b;
}

void *chy_arena_alloc(struct chy_arena *a, size_t n)
{
    if (n > a->max || n > PTRDIFF_MAX - sizeof(*a->head) - ALIGN) {
        a->failed = a->too_long = true;
        return NULL;
    }
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct chy_arena_block *b = a->head;
    if (!b || b->cap - b->used < n) b = new_block(a, n);
    if (!b) {
        a->failed = true;
        return NULL;
    }
    void *p = b->data + b->used;
    b->used += n;
    memset(p, 0, n);
    return p;
}

char *chy_arena_strndup(struct chy_arena *a, const void *p, size_t n)
{
    char *s = chy_arena_alloc(a, n < a->max ? n + 1 : SIZE_MAX);
    if (s && n) memcpy(s, p, n);
    return s;
}

char *chy_arena_strdup(struct chy_arena *a, const char *s)
{
    return chy_arena_strndup(a, s, strlen(s));
}

struct chy_span chy_arena_dup(struct chy_arena *a, struct chy_span s)
{
    uint8_t *p = s.n ? chy_arena_alloc(a, s.n) : NULL;
    if (!p) return (struct chy_span){NULL, 0};
    memcpy(p, s.p, s.n);
    return chy_span_of(p, s.n);
}

char *chy_arena_printf(struct chy_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : chy_arena_alloc(a, (size_t)n + 1);
    if (!s) return NULL;
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

chy_hresult chy_arena_done(const struct chy_arena *a, const char *what, struct chy_err *err)
{
    if (!a->failed) return CHY_S_OK;
    if (!a->too_long) return chy_fail_nomem(err, what);
    return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "%s: takes more than %zu octets", what,
                    a->max);
}
