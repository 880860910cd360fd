/* UTF-8 (RFC 3629): no overlong form, no surrogate, no NUL. */
#include <string.h>

#include "base/text.h"

static unsigned length_of(uint8_t c)
{
    if (c < 0x80) return 1;
    if (c >= 0xc2 && c <= 0xdf) return 2;
    if (c >= 0xe0 && c <= 0xef) return 3;
    return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

static bool second_ok(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0;
    case 0xed: return second <= 0x9f;
    case 0xf0: return second >= 0x90;
    case 0xf4: return second <= 0x8f;
    default: return true;
    }
}

/* Octets of the first character; 0 where it is not well-formed. */
static size_t first_length(struct chy_span s)
{
    unsigned n = s.n ? length_of(s.p[0]) : 0;
    if (!n || !s.p[0] || n > s.n) return 0;
    for (unsigned k = 1; k < n; k++) {
        if ((s.p[k] & 0xc0) != 0x80) return 0;
    }
    return n > 1 && !second_ok(s.p[0], s.p[1]) ? 0 : n;
}

/* How many octets in front are ASCII and no NUL for sure, eight at a time: nearly all that comes
 * is. Where no octet has its highest bit, taking one from each sets it in a zero. */
static size_t ascii_length(struct chy_span s)
{
    size_t n = 0;
    uint64_t eight;
    for (; s.n - n >= sizeof(eight); n += sizeof(eight)) {
        memcpy(&eight, s.p + n, sizeof(eight));
        if ((eight | (eight - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) break;
    }
    return n;
}

bool chy_utf8_valid(struct chy_span s)
{
    while (s.n) {
        size_t n = ascii_length(s);
        if (!n) n = first_length(s);
        if (!n) return false;
        s = chy_span_of(s.p + n, s.n - n);
    }
    return true;
}

size_t chy_utf8_printable(struct chy_span s)
{
    size_t n = first_length(s);
    bool control = n == 1 ? s.p[0] < 0x20 || s.p[0] == 0x7f
                          : n == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0; /* U+0080 to U+009F */
    return control ? 0 : n;
}
