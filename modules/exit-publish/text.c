#include <stdlib.h>
#include <string.h>

#include "publish.h"

void text_add(struct text *t, const void *p, size_t n)
{
    if (t->failed || n == 0) return;
    if (n > t->cap - t->n) {
        size_t cap = 2 * (t->n + n);
        char *more = realloc(t->p, cap);
        if (!more) {
            t->failed = true;
            return;
        }
        t->p = more;
        t->cap = cap;
    }
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

/* RFC 7468 2: lines of 64 characters. */
void text_add_pem(struct text *t, const uint8_t *der, size_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char head[] = "-----BEGIN CERTIFICATE-----\n",
                      foot[] = "-----END CERTIFICATE-----\n";
    text_add(t, head, sizeof head - 1);
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)der[i] << 16 | (left > 1 ? (uint32_t)der[i + 1] << 8 : 0) |
                     (left > 2 ? der[i + 2] : 0);
        char four[5] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
                        left > 1 ? alphabet[v >> 6 & 63] : '=', left > 2 ? alphabet[v & 63] : '=',
                        '\n'};
        bool line_ends = (i + 3) % 48 == 0 || left <= 3;
        text_add(t, four, line_ends ? 5 : 4);
    }
    text_add(t, foot, sizeof foot - 1);
}
