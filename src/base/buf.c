/* Growing octets with a bound; the first failure sticks until the reset. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

void chy_buf_init(struct chy_buf *b, size_t max)
{
    *b = (struct chy_buf){.max = max};
}

void chy_buf_free(struct chy_buf *b)
{
    chy_free(b->p);
    *b = (struct chy_buf){.max = b->max};
}

void chy_buf_reset(struct chy_buf *b)
{
    b->n = 0;
    b->failed = b->too_long = false;
}

static bool grow(struct chy_buf *b, size_t cap)
{
    uint8_t *p = chy_realloc(b->p, cap);
    if (p) {
        b->p = p;
        b->cap = cap;
    } else {
        b->failed = true;
    }
    return p != NULL;
}

bool chy_buf_reserve(struct chy_buf *b, size_t more)
{
    if (b->failed) return false;
    if (more > b->max - b->n) {
        b->failed = b->too_long = true;
        return false;
    }
    if (more <= b->cap - b->n) return true;
    size_t want = b->n + more, cap = b->cap < 128 ? 128 : b->cap;
    do {
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    } while (cap < want);
    if (cap - 1 > b->max) cap = b->max + 1; /* the NUL of chy_buf_cstr does not count */
    return grow(b, cap);
}

void chy_buf_add(struct chy_buf *b, const void *p, size_t n)
{
    if (!n || !chy_buf_reserve(b, n)) return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void chy_buf_add_span(struct chy_buf *b, struct chy_span s)
{
    chy_buf_add(b, s.p, s.n);
}

void chy_buf_add_byte(struct chy_buf *b, uint8_t c)
{
    if (chy_buf_reserve(b, 1)) b->p[b->n++] = c;
}

void chy_buf_add_str(struct chy_buf *b, const char *s)
{
    chy_buf_add_span(b, chy_span_cstr(s));
}

void chy_buf_addf(struct chy_buf *b, const char *fmt, ...)
{
    char small[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof(small)) {
        chy_buf_add(b, small, (size_t)n);
    } else if (chy_buf_reserve(b, (size_t)n) &&
               (b->cap - b->n > (size_t)n || grow(b, b->cap + 1))) {
        va_start(ap, fmt);
        vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
        va_end(ap);
        b->n += (size_t)n;
    }
}

const char *chy_buf_cstr(struct chy_buf *b)
{
    if (b->failed || (b->n == b->cap && !grow(b, b->cap + 1))) return NULL;
    b->p[b->n] = 0;
    return (const char *)b->p;
}

chy_hresult chy_buf_done(const struct chy_buf *b, const char *what, struct chy_err *err)
{
    if (!b->failed) return CHY_S_OK;
    if (!b->too_long) return chy_fail_nomem(err, what);
    return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "%s: longer than %zu octets", what, b->max);
}
