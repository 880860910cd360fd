/* Short texts. Thread: any. */
#include "base/text.h"

#include <string.h>
#include <strings.h>

size_t chy_text_copy(char *out, size_t cap, const char *s)
{
    size_t n = strnlen(s, cap - 1);
    memcpy(out, s, n);
    out[n] = 0;
    return n;
}

bool chy_text_same(const char *a, const char *b)
{
    return !((a[0] ^ b[0]) & 0x5f) && strcasecmp(a, b) == 0;
}
