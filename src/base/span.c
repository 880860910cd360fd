/* Borrowed octets. */
#include <string.h>

#include "base/base.h"

struct chy_span chy_span_cstr(const char *s)
{
    return s ? chy_span_of(s, strlen(s)) : (struct chy_span){NULL, 0};
}

bool chy_span_eq(struct chy_span a, struct chy_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool chy_span_eq_nocase(struct chy_span a, struct chy_span b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    }
    return true;
}
