/* UTF-8 (RFC 3629): no overlong form, no surrogate, no NUL. */
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

bool chy_utf8_valid(struct chy_span s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned n = length_of(s.p[i]);
        if (!n || !s.p[i] || n > s.n - i) return false;
        for (unsigned k = 1; k < n; k++) {
            if ((s.p[i + k] & 0xc0) != 0x80) return false;
        }
        if (n > 1 && !second_ok(s.p[i], s.p[i + 1])) return false;
        i += n;
    }
    return true;
}
